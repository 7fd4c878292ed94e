#pragma once

#include <time.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace enigma::engine {

// With one thread, time this thread ran, so that other work on the machine counts less; else time on the wall.
inline double Now(int threads) {
  timespec t{};
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Seconds of one call, the fastest tenth of calls that together last `seconds`: other work on the machine shows in the
// slower ones.
inline double TypicalSeconds(double seconds, int threads, const std::function<void()>& call) {
  call();
  std::vector<double> times;
  const double end = Now(threads) + seconds;
  while (Now(threads) < end || times.size() < 3) {
    const double start = Now(threads);
    call();
    times.push_back(Now(threads) - start);
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 10, times.end());
  return times[times.size() / 10];
}

}  // namespace enigma::engine
