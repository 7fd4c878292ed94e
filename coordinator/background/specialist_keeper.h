#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/operations/control_plane.h"
#include "coordinator/routing/specialist_registry.h"

namespace enigma::coordinator {

// Has specialists in service when requests want them: loads one on its first use, and unloads those that were used
// least recently where there is no room, never one that is in use. The router, whom every request needs, is loaded as
// soon as there is a node, and never goes. Only what it has loaded itself goes (PlanOptions.on_demand); what an
// operator loaded stays. Thread-safe; has threads of its own.
class SpecialistKeeper {
 public:
  struct Options {
    absl::Duration look_every = absl::Milliseconds(20);  // while somebody waits
    // After a load that failed, who wants the model hears why at once, for so long.
    absl::Duration retry_after = absl::Seconds(2);
    // How long a request waits for a model that was in service and has lost a node.
    absl::Duration lost_wait = absl::Seconds(30);
    size_t waiting_max = 256;  // requests that wait for one model
  };
  SpecialistKeeper(ControlPlane& plane, SpecialistRegistry& registry, const Options& options);
  ~SpecialistKeeper();
  // Ends the threads, and those that wait with UNAVAILABLE. Idempotent.
  void Stop();

  enum class Standing {
    kServes,
    kComes,   // it is being loaded, or has to be gone before it can be
    kLost,    // it was in service and is to be again, but a node went or a stage failed
    kAbsent,  // nobody has asked for it yet
  };
  Standing StandingOf(const std::string& model) const;

  // Keeps the model from being unloaded to make room, until all copies are gone. May outlive the keeper.
  using Hold = std::shared_ptr<const void>;
  // Of a model that a request names, in service or not; null for one that there is none of.
  Hold Use(const std::string& model) const;

  // How long somebody waits for a model.
  struct Patience {
    absl::Duration deadline;          // on the plane's monotonic clock
    std::function<bool()> gone = {};  // whether nobody waits any more; null: somebody does. On any thread
  };
  using Done = std::function<void(const absl::StatusOr<Hold>& hold)>;
  // Calls `done` once: with a hold as soon as the model serves, which may be at once and on this thread, else on a
  // thread of the keeper's. Errors: FAILED_PRECONDITION, UNAVAILABLE or RESOURCE_EXHAUSTED say why it does not serve,
  // or that too many wait for it; DEADLINE_EXCEEDED, that it did not by the deadline; CANCELLED, that nobody waits any
  // more. A model that is lost is waited for a while, since others place it again.
  void Want(const std::string& model, Patience patience, Done done);

  // Who answers for a model that took another's place in the registry and is not in service yet: that other one, as
  // long as it serves, and the model is loaded meanwhile. Empty: the model is to answer itself.
  std::string StandIn(const std::string& model);

  // Takes a model for the unloading (Evictable): false where a request has it, or an operator wants it. From then on it
  // comes, until it is released, and is gone or serves on.
  bool Claim(const std::string& model) const;
  void Release(const std::string& model) const;

 private:
  struct Waiter {
    Patience patience;
    absl::Duration lost_until;
    Hold hold;  // from the first on, so that the model cannot go between its load and its use
    Done done;
  };
  struct Failure {
    absl::Status why;
    absl::Duration until;
  };
  struct Loading {
    std::thread thread;
    bool ended = false;
    absl::Status status;
  };
  // Shared with the holds.
  struct Uses {
    absl::Mutex mutex;
    std::map<std::string, int> holds ABSL_GUARDED_BY(mutex);            // of models that are held
    std::map<std::string, absl::Duration> last ABSL_GUARDED_BY(mutex);  // when it was wanted or let go
    std::set<std::string> going ABSL_GUARDED_BY(mutex);                 // claimed: being unloaded
  };
  using Waiters = std::vector<Waiter>;

  void Run();
  void WantRouter();
  // Has it loaded, though nobody waits for it.
  void Warm(const std::string& model);
  void LookAtWaiters();
  void LookAt(const std::string& model);
  // Of the waiters, those that wait no longer for a model that stands so, with what each is told.
  std::vector<std::pair<Waiter, absl::Status>> TakeEnded(const std::string& model, Standing standing, Waiters& waiters);
  // Whether a model that is lost is to be loaded as one that was never there: it could not be placed again as it was.
  // Then nobody but the keeper places it from now on.
  bool TakeOver(const std::string& model);
  std::string ReasonOf(const std::string& model) const;  // why a lost model is in no service
  void StartLoading(const std::string& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Load(const std::string& model);
  absl::Status MakeRoomAndLoad(const std::string& model);
  enigma::v1::PlanOptions OptionsFor(const std::string& model) const;
  // Models that the keeper has loaded itself, without the router.
  std::set<std::string> OnDemand() const;
  std::vector<std::string> IdleOnDemand(const std::string& besides) const;  // used least recently first
  Hold Take(const std::string& model) const;
  void LeaveRoom();

  ControlPlane& plane_;
  SpecialistRegistry& registry_;
  const Options options_;
  const std::shared_ptr<Uses> uses_;
  std::atomic<bool> cancelled_ = false;
  mutable absl::Mutex mutex_;
  // Set from making room until what is loaded into it is counted, so that two loads do not count on the same.
  bool making_room_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Waiters> waiting_ ABSL_GUARDED_BY(mutex_);  // by model
  std::map<std::string, Loading> loading_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Failure> failures_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> told_ ABSL_GUARDED_BY(mutex_);  // the last failure that was logged, by model
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace enigma::coordinator
