#pragma once

#include <cstdint>
#include <functional>
#include <list>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "engine/training/parameters.h"

namespace enigma::worker {

// Lets others read a rank's state while it does not change: between steps, and during a step until its sums are
// complete, which needs all ranks of the epoch, those that still read included. Thread-safe.
class StateGate {
 public:
  // A reader's stay.
  class Lease {
   public:
    Lease(Lease&& other) noexcept : gate_(other.gate_), entry_(other.entry_), state_(other.state_) {
      other.gate_ = nullptr;
    }
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (gate_ != nullptr) gate_->Leave(entry_);
    }
    const engine::TrainingState& state() const { return *state_; }

   private:
    friend class StateGate;
    using Entry = std::list<std::function<void()>>::iterator;
    Lease(StateGate* gate, Entry entry, const engine::TrainingState* state)
        : gate_(gate), entry_(entry), state_(state) {}
    StateGate* gate_;
    Entry entry_;
    const engine::TrainingState* state_;
  };

  // The rank's thread: from now on this state may be read. It stays where and as it is until Close.
  void Open(const engine::TrainingState& state);
  // Asks readers to go, and waits until they have. Those that come later wait for the next Open.
  void Close();
  // Close for good: readers are refused.
  void End();

  // To read the state after `step` steps. Waits for it, at most `timeout`; FailedPrecondition where the rank is at
  // another step, which a gate does not leave backwards. `go` is called, once and at any time, when the reader must go;
  // it does not wait.
  absl::StatusOr<Lease> Enter(uint64_t step, absl::Duration timeout, std::function<void()> go);

 private:
  void Leave(Lease::Entry entry);

  absl::Mutex mutex_;
  const engine::TrainingState* state_ ABSL_GUARDED_BY(mutex_) = nullptr;  // null: closed
  uint64_t step_ ABSL_GUARDED_BY(mutex_) = 0;                             // of the state that was last here
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<std::function<void()>> readers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::worker
