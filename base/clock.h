#pragma once

#include <absl/time/time.h>

namespace enigma {

// Where code reads the time from, so that a test can own it. Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall-clock time; may jump. For certificates, logs and beacons.
  [[nodiscard]] virtual absl::Time Now() const = 0;
  // Time since an arbitrary origin; never goes back. For timeouts and measurements.
  [[nodiscard]] virtual absl::Duration Monotonic() const = 0;

  // The machine's own clock; lives for the whole process.
  static const Clock& System();
};

}  // namespace enigma
