#include "worker/training/state_gate.h"

#include <utility>

#include <absl/strings/str_cat.h>

namespace enigma::worker {

void StateGate::Open(const engine::TrainingState& state) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  state_ = &state;
  step_ = state.step;
}

void StateGate::Close() {
  absl::MutexLock lock(&mutex_);
  state_ = nullptr;
  for (const std::function<void()>& go : readers_) go();
  const auto empty = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return readers_.empty(); };
  mutex_.Await(absl::Condition(&empty));
}

void StateGate::End() {
  {
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  }
  Close();
}

absl::StatusOr<StateGate::Lease> StateGate::Enter(uint64_t step, absl::Duration timeout, std::function<void()> go) {
  absl::MutexLock lock(&mutex_);
  const auto settled = [this, step]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ended_ || (state_ != nullptr && step_ >= step);
  };
  mutex_.AwaitWithTimeout(absl::Condition(&settled), timeout);
  if (ended_) return absl::NotFoundError("the rank has ended");
  if (state_ == nullptr || step_ != step) {
    return absl::FailedPreconditionError(
        absl::StrCat("the state after step ", step, " is wanted, and the rank is at step ", step_));
  }
  return Lease(this, readers_.insert(readers_.end(), std::move(go)), state_);
}

void StateGate::Leave(Lease::Entry entry) {
  absl::MutexLock lock(&mutex_);
  readers_.erase(entry);
}

}  // namespace enigma::worker
