#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// Takes replicas out of service when something under them breaks, and ends their requests with a sentence that names
// the node. A node's death acts at once. A broken stream or a worker's report waits a moment first: the death that
// caused it is usually known a few milliseconds later, and names the culprit instead of its neighbour. Thread-safe.
class FailureWatcher {
 public:
  // `failed` is called, on the watcher's thread, after a replica was taken out of service.
  FailureWatcher(ControlPlane& plane, std::function<void()> failed, absl::Duration patience = absl::Milliseconds(250));
  ~FailureWatcher();

  void NodeDied(const Node& node);
  // Something is wrong with the replica; `reason` names the node that it was seen at.
  void Suspect(uint64_t replica, std::string reason);
  // A worker gave one request up. It ends with `reason` unless its whole replica fails first.
  void Refused(uint64_t ticket, std::string reason);

 private:
  struct Event {
    Node dead_node;        // where neither of the following is set
    uint64_t replica = 0;  // suspected
    uint64_t ticket = 0;   // of a refused request
    std::string reason;
    absl::Duration due;  // on the monotonic clock
  };

  void Run();
  void Act(const Event& event);
  void Fail(const Replica& replica, const std::string& reason);

  ControlPlane& plane_;
  const std::function<void()> failed_;
  const absl::Duration patience_;
  absl::Mutex mutex_;
  std::deque<Event> deaths_ ABSL_GUARDED_BY(mutex_);
  std::deque<Event> suspicions_ ABSL_GUARDED_BY(mutex_);  // by due time
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace enigma::coordinator
