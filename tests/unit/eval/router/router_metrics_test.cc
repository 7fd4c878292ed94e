#include "eval/router/router_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::eval {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::Optional;

std::vector<RouterAnswer> SomeAnswers() {
  return {{0, 0, 0.9, 0.9},  {0, 0, 0.7, 0.7},           {0, 1, 0.6, 0.4},          {1, 1, 0.8, 0.8},
          {2, 1, 0.5, 0.25}, {std::nullopt, 0, 0.55, 0}, {std::nullopt, 1, 0.75, 0}};
}

TEST(RouterMetricsTest, CountsAreThoseByHand) {
  const RouterMetrics metrics = MeasureRouter(SomeAnswers(), 3);
  EXPECT_EQ(metrics.texts, 5u);
  EXPECT_EQ(metrics.oos_texts, 2u);
  EXPECT_DOUBLE_EQ(metrics.accuracy, 3.0 / 5);
  EXPECT_THAT(metrics.confusion,
              ElementsAre(ElementsAre(2, 1, 0), ElementsAre(0, 1, 0), ElementsAre(0, 1, 0), ElementsAre(1, 1, 0)));
  EXPECT_DOUBLE_EQ(metrics.labels[0].precision, 1);
  EXPECT_DOUBLE_EQ(metrics.labels[0].recall, 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics.labels[0].f1, 0.8);
  EXPECT_DOUBLE_EQ(metrics.labels[1].precision, 1.0 / 3) << "texts out of scope do not count";
  EXPECT_EQ(metrics.labels[2].precision, 0);
  EXPECT_EQ(metrics.labels[2].texts, 1u);
  // Every answer is in a bin of its own: |0.9 - 1| + |0.7 - 1| + 0.6 + |0.8 - 1| + 0.5, over five.
  EXPECT_NEAR(metrics.ece, (0.1 + 0.3 + 0.6 + 0.2 + 0.5) / 5, 1e-12);
  EXPECT_NEAR(metrics.nll, 0.597553, 1e-6);
}

TEST(RouterMetricsTest, AurocCountsPairs) {
  // 0.55 is below 0.9, 0.7, 0.6 and 0.8 of five; 0.75 below 0.9 and 0.8.
  EXPECT_THAT(MeasureRouter(SomeAnswers(), 3).oos_auroc, Optional(DoubleEq(6.0 / 10)));
  EXPECT_THAT(MeasureRouter({{0, 0, 0.5, 0.5}, {std::nullopt, 0, 0.5, 0}}, 1).oos_auroc, Optional(DoubleEq(0.5)));
  EXPECT_EQ(MeasureRouter({{0, 0, 0.5, 0.5}}, 1).oos_auroc, std::nullopt);
}

TEST(RouterMetricsTest, TheCurveTradesCoverageForAccuracy) {
  const ThresholdPoint point = MeasureThreshold(SomeAnswers(), 0.7);
  EXPECT_DOUBLE_EQ(point.coverage, 3.0 / 5);
  EXPECT_DOUBLE_EQ(point.accuracy, 1);
  EXPECT_DOUBLE_EQ(point.oos_coverage, 0.5);
  const RouterMetrics metrics = MeasureRouter(SomeAnswers(), 3);
  ASSERT_EQ(metrics.thresholds.size(), 20u);
  EXPECT_DOUBLE_EQ(metrics.thresholds.front().coverage, 1);
  EXPECT_DOUBLE_EQ(metrics.thresholds.back().coverage, 0);
}

TEST(RouterMetricsTest, TheTwoKindsOfMistakesAreApart) {
  const SetMistakes hard_to_easy = CountSetMistakes(SomeAnswers(), {0}, {1, 2}, 0.5);
  EXPECT_EQ(hard_to_easy.mistakes, 1u);
  EXPECT_EQ(hard_to_easy.texts, 3u);
  const SetMistakes easy_to_hard = CountSetMistakes(SomeAnswers(), {1, 2}, {0}, 0.65);
  EXPECT_EQ(easy_to_hard.mistakes, 0u);
  EXPECT_EQ(easy_to_hard.texts, 2u);
}

TEST(RouterMetricsTest, NoAnswersAreNoNumbers) {
  const RouterMetrics metrics = MeasureRouter({}, 2);
  EXPECT_EQ(metrics.accuracy, 0);
  EXPECT_EQ(metrics.ece, 0);
}

}  // namespace
}  // namespace enigma::eval
