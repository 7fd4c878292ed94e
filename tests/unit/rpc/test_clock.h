#pragma once

#include <absl/time/clock.h>

#include "base/clock.h"

namespace enigma {

// A clock that is off by what the test says.
class SkewedClock final : public Clock {
 public:
  explicit SkewedClock(absl::Duration ahead) : ahead_(ahead) {}
  absl::Time Now() const override { return absl::Now() + ahead_; }
  absl::Duration Monotonic() const override { return Clock::System().Monotonic(); }

 private:
  const absl::Duration ahead_;
};

}  // namespace enigma
