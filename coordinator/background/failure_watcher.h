#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/background/blame.h"
#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// Takes replicas out of service when something under them breaks, and ends their requests with a sentence that names
// the node. A node's death and a stage's own failure act at once. The loss of a neighbour waits a moment first: its
// cause is usually known a few milliseconds later, and then that one is named (blame.h). Thread-safe.
class FailureWatcher {
 public:
  // `failed` is called, on the watcher's thread, after a replica was taken out of service.
  FailureWatcher(ControlPlane& plane, std::function<void()> failed, absl::Duration patience = absl::Milliseconds(100));
  ~FailureWatcher();

  void NodeDied(const Node& node);
  void Suspect(uint64_t replica, FailureReport report);
  // A worker gave one request of the replica up. It ends with `reason`, unless the whole replica fails meanwhile.
  void Refused(uint64_t replica, uint64_t ticket, std::string reason);

 private:
  struct Suspicion {
    std::vector<FailureReport> reports;
    absl::Duration due;  // on the monotonic clock
  };
  struct Refusal {
    uint64_t replica = 0;
    uint64_t ticket = 0;
    std::string reason;
    absl::Duration due;
  };

  void Run();
  [[nodiscard]] absl::Duration NextDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ActOnDeath(const Node& node);
  void ActOnSuspicion(uint64_t replica, const Suspicion& suspicion);
  void ActOnRefusal(const Refusal& refusal);
  void Fail(const Replica& replica, const std::string& reason);

  ControlPlane& plane_;
  const std::function<void()> failed_;
  const absl::Duration patience_;
  absl::Mutex mutex_;
  std::deque<Node> deaths_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Suspicion> suspicions_ ABSL_GUARDED_BY(mutex_);  // by replica
  std::deque<Refusal> refusals_ ABSL_GUARDED_BY(mutex_);              // by due time
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace enigma::coordinator
