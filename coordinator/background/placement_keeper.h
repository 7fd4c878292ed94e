#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/background/retry_pacing.h"
#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// Keeps what is wanted in service: clears up after failed replicas, has workers drop stages that nobody knows (left by
// an earlier coordinator), and places again what has no replica, or one on nodes that leave, as soon as the nodes allow
// it.
class PlacementKeeper {
 public:
  struct Options {
    absl::Duration period = absl::Milliseconds(100);
    // After a start, how long the nodes of earlier placements may take to come back before others are taken.
    absl::Duration return_grace = absl::Seconds(10);
    // Memory that stages have given back shows in heartbeats only after this.
    absl::Duration settle = absl::Milliseconds(450);
    // How long a replica on a node that leaves takes new requests while another is placed. What runs in it then has the
    // rest of the node's own time to end.
    absl::Duration successor_wait = absl::Seconds(15);
    RetryPacing::Options pacing = {};
  };
  PlacementKeeper(ControlPlane& plane, const Options& options);
  ~PlacementKeeper();

  // Ends the thread and cancels what is being placed. Idempotent.
  void Stop();

  // A node went, or a replica failed.
  void Wake();
  // A node can take stages that could not before.
  void NodeCame(const std::string& node_id);

 private:
  void Run();
  void NoteServing();
  // Nothing new goes to replicas with a stage on a node that is leaving, once others have taken their places or cannot
  // be placed in time; and those that are idle are given up.
  void RetireOnLeavingNodes();
  void GiveUp(const Replica& replica, const std::string& reason);
  bool OnLeavingNode(const Replica& replica) const;
  // Whether another replica of the same wanted placement serves, on nodes that stay.
  bool HasSuccessor(const Replica& replica) const;
  // Whether a replica on a node that is leaving need not serve until another takes its place.
  bool MayRetire(const Replica& replica);
  void ClearFailedReplicas();
  void DropOrphans();
  void PlaceWanted();
  // Why the placement should not be tried now; empty when it should.
  std::string ReasonToWait(const WantedPlacement& wanted) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Place(const WantedPlacement& wanted);

  ControlPlane& plane_;
  const Options options_;
  const absl::Duration started_;
  std::atomic<bool> cancelled_ = false;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration settled_at_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, RetryPacing> pacing_ ABSL_GUARDED_BY(mutex_);  // by wanted placement, once it was placed or tried
  std::map<uint64_t, std::thread> placing_ ABSL_GUARDED_BY(mutex_);
  std::set<uint64_t> placed_ ABSL_GUARDED_BY(mutex_);       // whose thread has done its work
  std::set<uint64_t> unplaceable_ ABSL_GUARDED_BY(mutex_);  // those that could not be placed when it was tried last
  std::map<uint64_t, absl::Duration> leaving_since_;        // by replica; of the thread below alone
  std::thread thread_;
};

}  // namespace enigma::coordinator
