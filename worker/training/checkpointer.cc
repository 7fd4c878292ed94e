#include "worker/training/checkpointer.h"

#include <utility>

#include "telemetry/log.h"
#include "worker/training/state_copy.h"
#include "worker/training/step_boundary.h"

namespace enigma::worker {

Checkpointer::Checkpointer(Options options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), begun_at_(clock.Monotonic()) {}

Checkpointer::~Checkpointer() {
  ending_.Stop(absl::CancelledError("the rank ends"));
  if (thread_.joinable()) thread_.join();
}

void Checkpointer::Lead(uint64_t step) {
  absl::MutexLock lock(&mutex_);
  begun_step_ = step;
  begun_at_ = clock_.Monotonic();
  failed_ = false;
}

bool Checkpointer::Due(const engine::TrainingConfig& config, uint64_t step) const {
  absl::MutexLock lock(&mutex_);
  if (storing_ || best_unsaved_) return false;
  if (failed_) return clock_.Monotonic() - failed_at_ >= options_.retry_after;
  return CheckpointDue(config, step, begun_step_, clock_.Monotonic() - begun_at_);
}

bool Checkpointer::Missing(uint64_t step) const {
  absl::MutexLock lock(&mutex_);
  return !storing_ && !best_unsaved_ && stored_step_ < step && clock_.Monotonic() - failed_at_ >= options_.retry_after;
}

bool Checkpointer::idle() const {
  absl::MutexLock lock(&mutex_);
  return !storing_;
}

bool Checkpointer::Free() const {
  absl::MutexLock lock(&mutex_);
  return !storing_ && !best_unsaved_;
}

bool Checkpointer::Has(uint64_t step) const {
  absl::MutexLock lock(&mutex_);
  return stored_step_ == step || ((storing_ || best_unsaved_) && begun_step_ == step);
}

void Checkpointer::Start(const engine::TrainingState& state, const CheckpointOccasion& occasion) {
  if (thread_.joinable()) thread_.join();  // it has stored already
  const absl::Duration start = clock_.Monotonic();
  CopyState(state, copy_);
  occasion_ = occasion;
  const absl::Duration copying = clock_.Monotonic() - start;
  {
    absl::MutexLock lock(&mutex_);
    storing_ = true;
    best_unsaved_ = occasion.best;
    begun_step_ = state.step;
    begun_at_ = start;
  }
  thread_ = std::thread([this, copying] { Store(copying); });
}

void Checkpointer::RetryBest() {
  {
    absl::MutexLock lock(&mutex_);
    if (storing_ || !best_unsaved_ || clock_.Monotonic() - failed_at_ < options_.retry_after) return;
    storing_ = true;
  }
  if (thread_.joinable()) thread_.join();  // it has told of its failure
  thread_ = std::thread([this] { Store(absl::ZeroDuration()); });
}

bool Checkpointer::AwaitIdle(const StopSignal& stop) const {
  constexpr absl::Duration kLookEvery = absl::Milliseconds(20);
  while (!idle()) {
    if (stop.notification().WaitForNotificationWithTimeout(kLookEvery)) return false;
  }
  return true;
}

void Checkpointer::Store(absl::Duration copying) {
  const absl::Duration start = clock_.Monotonic();
  const absl::Status stored = options_.store(copy_, occasion_, ending_);
  v1::CheckpointStored told;
  told.set_step(copy_.step);
  told.set_copy_seconds(absl::ToDoubleSeconds(copying));
  told.set_store_seconds(absl::ToDoubleSeconds(clock_.Monotonic() - start));
  if (!stored.ok() && !ending_.stopped()) {
    told.set_error(std::string(stored.message()));
    LogWarn("the checkpoint of step {} was not stored: {}", copy_.step, Describe(stored));
  }
  {
    absl::MutexLock lock(&mutex_);
    failed_ = !stored.ok();
    if (stored.ok()) {
      stored_step_ = copy_.step;
      best_unsaved_ = false;
      failed_at_ = -absl::InfiniteDuration();
    } else {
      failed_at_ = clock_.Monotonic();
    }
  }
  if (!ending_.stopped()) options_.report(told);  // a store that the rank's end broke off is no news
  absl::MutexLock lock(&mutex_);
  storing_ = false;
}

}  // namespace enigma::worker
