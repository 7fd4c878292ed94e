#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// Sees to it that a replica which has work and makes no progress is known as stalled: it is shown, other replicas are
// preferred to it, and its model is not ready without them. Nothing is ended, since a step may be long. Keeps the
// metrics of replicas and of readiness. Has a thread of its own.
class ProgressWatcher {
 public:
  struct Options {
    absl::Duration stall_after = absl::Seconds(60);
    absl::Duration period = absl::Milliseconds(200);
    // Whether requests are routed to specialists, for readiness; null: they are not.
    std::function<bool()> has_specialists = {};
  };
  ProgressWatcher(ControlPlane& plane, const Options& options);
  ~ProgressWatcher();

 private:
  void Run();
  void LookAtReplicas();

  ControlPlane& plane_;
  const Options options_;
  // Of replicas, by model and state, and by KV memory; the thread's own.
  std::map<std::string, std::map<std::string, int>> counts_;
  std::map<MetricLabels, int> caches_;
  absl::Notification stopping_;
  std::thread thread_;
};

}  // namespace enigma::coordinator
