#include "worker/pipeline/wait_forecast.h"

#include <gtest/gtest.h>

namespace enigma::worker {
namespace {

WaitForecast After(std::initializer_list<double> waits_ms, int times) {
  WaitForecast forecast;
  for (int i = 0; i < times; ++i) {
    for (const double wait : waits_ms) forecast.Observe(absl::Milliseconds(wait));
  }
  return forecast;
}

TEST(WaitForecast, SleepsUntilItHasSeenABeat) {
  const WaitForecast forecast = After({12}, 3);
  EXPECT_EQ(forecast.Sleep(), absl::InfiniteDuration());
  EXPECT_EQ(forecast.Look(), absl::ZeroDuration());
}

TEST(WaitForecast, LooksShortlyBeforeAndAfterTheBeat) {
  const WaitForecast forecast = After({12, 12.1}, 20);
  EXPECT_GT(forecast.Sleep(), absl::Milliseconds(11));
  EXPECT_LT(forecast.Sleep(), absl::Milliseconds(12));
  EXPECT_GT(forecast.Sleep() + forecast.Look(), absl::Milliseconds(12.1));
  EXPECT_LE(forecast.Look(), absl::Milliseconds(1));
}

TEST(WaitForecast, LooksAtOnceForWaitsThatAreShort) {
  const WaitForecast forecast = After({0.15, 0.17}, 20);
  EXPECT_EQ(forecast.Sleep(), absl::ZeroDuration());
  EXPECT_GT(forecast.Look(), absl::Milliseconds(0.17));
}

TEST(WaitForecast, SleepsWhereThereIsNoBeat) {
  const WaitForecast forecast = After({1, 40, 3, 90}, 20);
  EXPECT_EQ(forecast.Sleep(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace enigma::worker
