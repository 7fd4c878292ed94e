#include "coordinator/scheduling/intake.h"

#include "base/status_macros.h"

namespace enigma::coordinator {

void Intake::Pass::Leave() {
  if (intake_ == nullptr) return;
  Intake& intake = *std::exchange(intake_, nullptr);
  absl::MutexLock lock(&intake.mutex_);
  --intake.inside_;
}

absl::StatusOr<Intake::Pass> Intake::Enter() {
  absl::MutexLock lock(&mutex_);
  ENIGMA_RETURN_IF_ERROR(closed_);
  ++inside_;
  return Pass(this);
}

void Intake::Close(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  closed_.Update(why);
}

bool Intake::open() const {
  absl::MutexLock lock(&mutex_);
  return closed_.ok();
}

size_t Intake::inside() const {
  absl::MutexLock lock(&mutex_);
  return inside_;
}

bool Intake::AwaitNone(absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return inside_ == 0; };
  return mutex_.AwaitWithTimeout(absl::Condition(&none), timeout);
}

}  // namespace enigma::coordinator
