#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "coordinator/jobs/best_state.h"
#include "coordinator/jobs/epoch_policy.h"
#include "coordinator/jobs/job_course.h"
#include "coordinator/jobs/job_folders.h"
#include "coordinator/jobs/job_planner.h"
#include "coordinator/jobs/job_registry.h"
#include "coordinator/jobs/left_out.h"
#include "coordinator/jobs/link_doubts.h"
#include "coordinator/jobs/node_claims.h"
#include "coordinator/jobs/rank_set.h"
#include "coordinator/operations/control_plane.h"
#include "engine/spec/training_config.h"

namespace enigma::coordinator {

// Sees one job through on a thread of its own: chooses its ranks, carries out what the epoch policy decides, and
// registers the model. A job that was under way already is taken over as its ranks stand. Wake is thread-safe.
class JobRunner {
 public:
  struct Options {
    absl::Duration orphan_time = absl::Minutes(10);  // ranks go on so long without a coordinator
    absl::Duration period = absl::Milliseconds(100);
    absl::Duration farewell = absl::Seconds(2);        // for ranks to take up that it is over
    absl::Duration best_patience = absl::Seconds(40);  // see BestState
    EpochTimes times = {};
    LeftOut::Options left_out = {};
  };

  // All must outlive it. `grace_until`, on the plane's monotonic clock: so long nodes of the job's ranks may take to
  // come back after the coordinator has.
  JobRunner(ControlPlane& plane, JobRegistry& jobs, JobFolders& folders, NodeClaims& claims, uint64_t id,
            absl::Duration grace_until, const Options& options);
  ~JobRunner();  // leaves the job and its ranks as they are

  // Something changed: a node came or went, or the job is to be cancelled.
  void Wake() { ranks_.Wake(); }
  // It has nothing more to do.
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  void Run();
  absl::Status Prepare();
  void Tick();
  void TakeEvents(const std::vector<RankSet::Event>& events);
  void RankFailed(const std::string& node, const enigma::v1::RankFailed& failed, bool refused);
  void Exported(const enigma::v1::ExportDone& exported);

  void ChooseRanks(const std::vector<RankView>& views);
  RankNeeds NeedsNow(const absl::StatusOr<Job>& job) const;
  void LetGo(const std::string& node, const std::string& reason);
  void AddUnopened(std::vector<RankView>& views) const;
  EpochView MakeView(std::vector<RankView> views) const;
  void Act(const EpochView& view, const EpochDecision& decision);
  void Halt(const EpochView& view, const EpochDecision& decision);
  void Control(bool stop, const std::string& reason);
  void Begin(const EpochView& view, const EpochDecision& decision);
  void SendBegin(const EpochPlan& plan, const Job& job);
  void Finish(const EpochView& view, const EpochDecision& decision);
  void TakeValidations(const std::vector<RankView>& views, uint64_t known_step);
  // The best state was lost: it is computed again.
  void GoBackTo(uint64_t step);
  void NobodyLeft(const EpochDecision& decision);

  // The job ends in this state.
  void End(JobState state, const std::string& reason);
  // Moves the job, unless it is in that state already; then the reason alone is noted.
  void MoveTo(JobState state, const std::string& reason);
  enigma::v1::PrepareRank PreparationFor(const std::string& node_id);
  enigma::v1::NodeAddress AddressOf(const std::string& node_id) const;

  ControlPlane& plane_;
  JobRegistry& jobs_;
  JobFolders& folders_;
  NodeClaims& claims_;
  const uint64_t id_;
  const absl::Duration grace_until_;
  const Options options_;
  engine::TrainingConfig config_;
  enigma::v1::PrepareRank preparation_;  // without state and sources; constant once the thread has made it
  uint64_t memory_bytes_ = 0;            // of a rank
  RankSet ranks_;
  // The thread's own.
  std::optional<JobCourse> course_;
  BestState best_;
  LeftOut left_out_;
  LinkDoubts doubts_;
  std::string why_not_;  // why nodes may have no rank
  uint64_t epoch_ = 0;
  std::vector<std::string> members_;
  absl::Duration begun_at_;
  std::optional<absl::Duration> halting_since_;
  uint32_t fruitless_ = 0;
  uint64_t gained_ = 0;  // steps and slots of the epoch begun last, in slots
  std::atomic<bool> ended_ = false;
  absl::Notification stopping_;
  std::thread thread_;
};

}  // namespace enigma::coordinator
