#pragma once

#include <absl/time/time.h>

#include "base/clock.h"

namespace enigma::coordinator {

// A clock that goes when a test says so. Not thread-safe.
class SetClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1'800'000'000) + elapsed_ + stepped_; }
  absl::Duration Monotonic() const override { return elapsed_; }
  void Advance(absl::Duration by) { elapsed_ += by; }
  void StepWall(absl::Duration by) { stepped_ += by; }  // as somebody who sets the clock

 private:
  absl::Duration elapsed_ = absl::Seconds(1000);
  absl::Duration stepped_;
};

}  // namespace enigma::coordinator
