#include "coordinator/scheduling/intake.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::coordinator {

void Intake::Pass::Leave() {
  if (intake_ == nullptr) return;
  Intake& intake = *std::exchange(intake_, nullptr);
  absl::MutexLock lock(&intake.mutex_);
  intake.inside_ -= requests_;
  intake.bytes_ -= std::exchange(bytes_, 0);
}

// One alone may be of any size.
absl::Status Intake::CheckRoom(size_t others, uint64_t bytes) const {
  if (others == 0 || bytes <= bytes_max_ - std::min(bytes_, bytes_max_)) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the ", inside_, " requests under way hold ", bytes_, " bytes, and ",
                                                   bytes, " more are too much; try again later"));
}

absl::StatusOr<Intake::Pass> Intake::Enter(uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  ENIGMA_RETURN_IF_ERROR(closed_);
  ENIGMA_RETURN_IF_ERROR(CheckRoom(inside_, bytes));
  ++inside_;
  bytes_ += bytes;
  return Pass(this, 1, bytes);
}

absl::StatusOr<Intake::Pass> Intake::EnterMore(uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  ENIGMA_RETURN_IF_ERROR(CheckRoom(inside_ - std::min<size_t>(inside_, 1), bytes));
  bytes_ += bytes;
  return Pass(this, 0, bytes);
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
