#pragma once

#include <atomic>

#include <absl/time/time.h>

#include "base/clock.h"

namespace enigma::worker {

// A clock that goes when a test turns it. Thread-safe.
class TurnedClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1'800'000'000) + Monotonic(); }
  absl::Duration Monotonic() const override { return absl::Microseconds(elapsed_us_.load()); }
  void Advance(absl::Duration by) { elapsed_us_ += absl::ToInt64Microseconds(by); }

 private:
  std::atomic<int64_t> elapsed_us_{1'000'000'000};
};

}  // namespace enigma::worker
