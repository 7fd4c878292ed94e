#pragma once

#include <functional>

#include <absl/time/clock.h>
#include <absl/time/time.h>

namespace enigma::testing {

// Polls until `condition` holds; false after a generous time, since machines that run tests may be very busy.
inline bool Eventually(const std::function<bool()>& condition, absl::Duration timeout = absl::Seconds(30)) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

}  // namespace enigma::testing
