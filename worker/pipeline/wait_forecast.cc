#include "worker/pipeline/wait_forecast.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace enigma::worker {
namespace {

constexpr int kBeforeTrust = 4;
constexpr double kWeight = 0.125;  // of the newest wait
// What a core needs to wake, with some room.
constexpr double kWakeUs = 200;
// Longer waits than this are no steps of a stage that is worth a core.
constexpr double kThroughoutMostUs = 60'000;
// On a core of many, looking is bounded by this and by a share of the wait, so that it never becomes what the core
// mainly does.
constexpr double kLookMostUs = 1000;
constexpr double kLookShare = 0.25;
// So many waits in a row in which others wanted the core are no chance; then it is theirs for a while, longer each
// time.
constexpr int kCrowdedInARow = 3;
constexpr int kLeftToOthersFirst = 8;
constexpr int kLeftToOthersMost = 128;

}  // namespace

void WaitForecast::Observe(absl::Duration waited) {
  const double us = absl::ToDoubleMicroseconds(waited);
  if (observed_ == 0) mean_us_ = us;
  deviation_us_ += kWeight * (std::abs(us - mean_us_) - deviation_us_);
  mean_us_ += kWeight * (us - mean_us_);
  observed_ = std::min(observed_ + 1, kBeforeTrust);
  left_to_others_ = std::max(0, left_to_others_ - 1);
  if (std::exchange(crowded_now_, false)) return;
  crowded_in_a_row_ = 0;
  if (left_to_others_ == 0) next_left_to_others_ = std::max(kLeftToOthersFirst, next_left_to_others_ - 1);
}

void WaitForecast::Crowded() {
  crowded_now_ = true;
  if (++crowded_in_a_row_ < kCrowdedInARow) return;
  crowded_in_a_row_ = 0;
  left_to_others_ = std::max(kLeftToOthersFirst, next_left_to_others_);
  next_left_to_others_ = std::min(2 * left_to_others_, kLeftToOthersMost);
}

bool WaitForecast::LooksThroughout() const {
  return observed_ >= kBeforeTrust && left_to_others_ == 0 && mean_us_ < kThroughoutMostUs;
}

double WaitForecast::Margin() const { return 4 * deviation_us_ + 2 * kWakeUs; }

absl::Duration WaitForecast::Sleep() const {
  if (LooksThroughout()) return absl::ZeroDuration();
  if (Look() == absl::ZeroDuration()) return absl::InfiniteDuration();
  return absl::Microseconds(std::max(0.0, mean_us_ - 2 * deviation_us_ - kWakeUs));
}

absl::Duration WaitForecast::Look() const {
  if (observed_ < kBeforeTrust) return absl::ZeroDuration();
  if (LooksThroughout()) return absl::Microseconds(std::min(mean_us_ + Margin(), kThroughoutMostUs));
  const double allowed = std::min(kLookMostUs, std::max(4 * kWakeUs, kLookShare * mean_us_));
  return Margin() <= allowed ? absl::Microseconds(Margin()) : absl::ZeroDuration();
}

}  // namespace enigma::worker
