#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "coordinator/jobs/job_registry.h"
#include "coordinator/operations/control_plane.h"
#include "proto/rank.pb.h"

namespace enigma::coordinator {

// What the ranks of a job tell of its steps, noted in the registry, in metrics, and as the speed of each rank. One
// thread calls.
class JobCourse {
 public:
  // `job`: as it stands in the registry.
  JobCourse(ControlPlane& plane, JobRegistry& jobs, const Job& job);
  // What is said of its speed is 0 from now on.
  ~JobCourse();
  JobCourse(const JobCourse&) = delete;
  JobCourse& operator=(const JobCourse&) = delete;

  // From now on steps are those of these nodes, in their order.
  void EpochBegins(const std::vector<std::string>& members, size_t ranks_lost);
  void Note(const enigma::v1::StepDone& step);
  void Note(const enigma::v1::ValidationDone& validation);
  void Note(const enigma::v1::CheckpointStored& checkpoint);
  // Stores what was noted, where that was not done for a while.
  void SaveNowAndThen();

  // Slots per second, as measured; 0: not yet.
  [[nodiscard]] double SpeedOf(const std::string& node) const;
  // Of f32 products, as the rank measured them.
  void SetFlops(const std::string& node, double flops_per_second);

 private:
  void Show(const JobProgress& progress, uint64_t steps);
  void SetMembers(const std::vector<std::string>& members);
  [[nodiscard]] MetricLabels Labels() const { return {{"model_name", model_}}; }
  [[nodiscard]] double FlopsOfMembers() const;  // 0 where not all are known

  ControlPlane& plane_;
  JobRegistry& jobs_;
  const uint64_t id_;
  const std::string model_;
  const double flops_per_token_;
  std::vector<std::string> members_;
  std::vector<std::string> labels_;
  std::map<std::string, double> speeds_;  // by node
  std::map<std::string, double> flops_;   // by node
  // Sums over the last steps of this epoch, older ones counting less and less.
  double steps_ = 0;
  double seconds_ = 0;
  double tokens_ = 0;
  double waited_ = 0;
  bool unsaved_ = false;
  absl::Duration saved_at_;
};

}  // namespace enigma::coordinator
