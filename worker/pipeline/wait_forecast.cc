#include "worker/pipeline/wait_forecast.h"

#include <algorithm>
#include <cmath>

namespace enigma::worker {
namespace {

constexpr int kBeforeTrust = 4;
constexpr double kWeight = 0.125;  // of the newest wait
// What a core needs to wake, with some room.
constexpr double kWakeUs = 200;
// Looking is bounded by this and by a share of the wait, so that it never becomes what the core mainly does.
constexpr double kLookMostUs = 1000;
constexpr double kLookShare = 0.25;

}  // namespace

void WaitForecast::Observe(absl::Duration waited) {
  const double us = absl::ToDoubleMicroseconds(waited);
  if (observed_ == 0) mean_us_ = us;
  deviation_us_ += kWeight * (std::abs(us - mean_us_) - deviation_us_);
  mean_us_ += kWeight * (us - mean_us_);
  observed_ = std::min(observed_ + 1, kBeforeTrust);
}

absl::Duration WaitForecast::Sleep() const {
  if (Look() == absl::ZeroDuration()) return absl::InfiniteDuration();
  return absl::Microseconds(std::max(0.0, mean_us_ - 2 * deviation_us_ - kWakeUs));
}

absl::Duration WaitForecast::Look() const {
  if (observed_ < kBeforeTrust) return absl::ZeroDuration();
  const double needed = 4 * deviation_us_ + 2 * kWakeUs;
  const double allowed = std::min(kLookMostUs, std::max(4 * kWakeUs, kLookShare * mean_us_));
  return needed <= allowed ? absl::Microseconds(needed) : absl::ZeroDuration();
}

}  // namespace enigma::worker
