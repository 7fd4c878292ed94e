#pragma once

#include <map>
#include <string>
#include <thread>

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "coordinator/state/node_registry.h"
#include "telemetry/metrics.h"

namespace enigma::coordinator {

// Declares nodes dead that have said nothing for too long, and keeps the metrics that heartbeats tell. Has a thread of
// its own, so that nothing that is slow elsewhere delays it.
class SilenceChecker {
 public:
  SilenceChecker(NodeRegistry& nodes, const Clock& clock, Metrics& metrics, absl::Duration silence);
  ~SilenceChecker();

 private:
  void Run();

  NodeRegistry& nodes_;
  const Clock& clock_;
  Metrics& metrics_;
  const absl::Duration silence_;
  void CountPreemptions(const enigma::v1::StageStatus& first_stage);

  // The thread's own.
  std::map<std::string, double> kv_usage_;    // by model: of its fullest replica
  std::map<uint64_t, uint64_t> preemptions_;  // by replica, as counted
  absl::Notification stopping_;
  std::thread thread_;
};

}  // namespace enigma::coordinator
