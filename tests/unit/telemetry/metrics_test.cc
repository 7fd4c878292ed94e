#include "telemetry/metrics.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma {
namespace {

using ::testing::HasSubstr;

TEST(MetricNames, TableFollowsTheEnumAndNamesAreUnique) {
  const auto& all = AllMetrics();
  ASSERT_EQ(all.size(), static_cast<size_t>(Metric::kCount_));
  std::set<std::string> names;
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(all[i].metric), i) << all[i].name;
    EXPECT_TRUE(names.insert(all[i].name).second) << all[i].name;
    EXPECT_EQ(all[i].kind == MetricKind::kHistogram, !all[i].buckets.empty()) << all[i].name;
    const bool ends_in_total = std::string(all[i].name).ends_with("_total");
    EXPECT_EQ(all[i].kind == MetricKind::kCounter, ends_in_total) << all[i].name;
    EXPECT_GT(std::string(all[i].help).size(), 10u) << all[i].name;
  }
}

TEST(Metrics, SeriesAreKeptPerLabelSet) {
  Metrics metrics;
  metrics.Counter(Metric::kBeaconsDropped, {{"reason", "forged"}}).Increment();
  metrics.Counter(Metric::kBeaconsDropped, {{"reason", "forged"}}).Increment();
  metrics.Counter(Metric::kBeaconsDropped, {{"reason", "stale"}}).Increment();
  metrics.Gauge(Metric::kRequestsWaiting, {{"model_name", "m"}}).Set(3);
  metrics.Histogram(Metric::kTimeToFirstToken).Observe(0.003);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("enigma_beacons_dropped_total{reason=\"forged\"} 2"));
  EXPECT_THAT(text, HasSubstr("enigma_beacons_dropped_total{reason=\"stale\"} 1"));
  EXPECT_THAT(text, HasSubstr("vllm:num_requests_waiting{model_name=\"m\"} 3"));
  EXPECT_THAT(text, HasSubstr("vllm:time_to_first_token_seconds_bucket{le=\"0.005\"} 1"));
}

TEST(MetricsDeathTest, AWrongKindEndsTheProcess) {
  EXPECT_DEATH(Metrics().Gauge(Metric::kBeaconsSent), "enigma_beacons_sent_total");
}

}  // namespace
}  // namespace enigma
