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

// Others want the core in three waits in a row.
void Crowd(WaitForecast& forecast) {
  for (int i = 0; i < 3; ++i) {
    if (i > 0) forecast.Observe(absl::Milliseconds(12));
    forecast.Crowded();
  }
}

TEST(WaitForecast, SleepsUntilItHasSeenABeat) {
  const WaitForecast forecast = After({12}, 3);
  EXPECT_EQ(forecast.Sleep(), absl::InfiniteDuration());
  EXPECT_EQ(forecast.Look(), absl::ZeroDuration());
}

TEST(WaitForecast, LooksThroughoutOnACoreOfItsOwn) {
  const WaitForecast forecast = After({12, 12.1}, 20);
  EXPECT_EQ(forecast.Sleep(), absl::ZeroDuration());
  EXPECT_GT(forecast.Look(), absl::Milliseconds(12.1));
  EXPECT_LT(forecast.Look(), absl::Milliseconds(13));
}

TEST(WaitForecast, LooksShortlyBeforeAndAfterTheBeatOnACrowdedCore) {
  WaitForecast forecast = After({12, 12.1}, 20);
  Crowd(forecast);
  EXPECT_GT(forecast.Sleep(), absl::Milliseconds(11));
  EXPECT_LT(forecast.Sleep(), absl::Milliseconds(12));
  EXPECT_GT(forecast.Sleep() + forecast.Look(), absl::Milliseconds(12.1));
  EXPECT_LE(forecast.Look(), absl::Milliseconds(1));
}

TEST(WaitForecast, OneDisturbanceIsNoCrowd) {
  WaitForecast forecast = After({12}, 20);
  for (int i = 0; i < 5; ++i) {
    forecast.Crowded();
    forecast.Observe(absl::Milliseconds(12));
    forecast.Observe(absl::Milliseconds(12));
    EXPECT_EQ(forecast.Sleep(), absl::ZeroDuration());
  }
}

TEST(WaitForecast, TriesACrowdedCoreAgainAndThenLessOften) {
  WaitForecast forecast = After({12}, 20);
  int slept_before = 0;
  for (int round = 0; round < 3; ++round) {
    Crowd(forecast);
    int slept = 0;
    for (; forecast.Sleep() > absl::ZeroDuration() && slept < 1000; ++slept) forecast.Observe(absl::Milliseconds(12));
    EXPECT_GT(slept, slept_before);
    EXPECT_LT(slept, 100);
    slept_before = slept;
  }
}

TEST(WaitForecast, LooksAtOnceForWaitsThatAreShort) {
  WaitForecast forecast = After({0.15, 0.17}, 20);
  for (int i = 0; i < 3; ++i) {
    forecast.Observe(absl::Milliseconds(0.16));
    forecast.Crowded();
  }
  EXPECT_EQ(forecast.Sleep(), absl::ZeroDuration());
  EXPECT_GT(forecast.Look(), absl::Milliseconds(0.17));
}

TEST(WaitForecast, SleepsWhereThereIsNoBeatAndOthersWantTheCore) {
  WaitForecast forecast = After({1, 40, 3, 90}, 20);
  EXPECT_LE(forecast.Look(), absl::Milliseconds(60));
  Crowd(forecast);
  EXPECT_EQ(forecast.Sleep(), absl::InfiniteDuration());
}

TEST(WaitForecast, SleepsThroughLongWaits) {
  const WaitForecast forecast = After({400, 900}, 20);
  EXPECT_EQ(forecast.Sleep(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace enigma::worker
