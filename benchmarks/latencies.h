#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace enigma {

using SteadyClock = std::chrono::steady_clock;

// Milliseconds.
inline double Since(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

// The value that a share of them, from 0 to 1, lies below; 0 where there are none.
inline double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
}

}  // namespace enigma
