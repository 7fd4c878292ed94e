#include "engine/sampling/label_scorer.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "engine/sampling/label_calibration.h"

namespace enigma::engine {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

TEST(LabelScorerTest, TheSoftmaxIsOverTheLabelsAlone) {
  RouterSpec router;
  router.label_tokens = {3, 0};
  router.temperature = 2;
  const LabelScores scores = LabelScorer(router).Score(std::vector<float>{1, 100, -100, 3});
  const double other = 1 / (1 + std::exp((3.0 - 1.0) / 2));
  EXPECT_THAT(scores.probabilities, ElementsAre(DoubleNear(1 - other, 1e-15), DoubleNear(other, 1e-15)));
  EXPECT_EQ(scores.best, 0u);
  EXPECT_EQ(scores.confidence, scores.probabilities[0]);
}

TEST(LabelScorerTest, ExtremeLogitsGiveNumbers) {
  const LabelScores scores = ScoreLabels(std::vector<float>{-3e38F, 3e38F, 3e38F}, 0.05);
  EXPECT_THAT(scores.probabilities, ElementsAre(DoubleNear(0, 1e-200), 0.5, 0.5));
  EXPECT_EQ(scores.best, 1u) << "of equal ones the first";
}

// Texts whose label is drawn with the very probabilities that logits over `temperature` give.
std::vector<LabelledLogits> DrawnLogits(double temperature, size_t count) {
  std::vector<LabelledLogits> texts;
  for (size_t i = 0; i < count; ++i) {
    LabelledLogits text;
    for (uint64_t k = 0; k < 3; ++k) text.logits.push_back(static_cast<float>(6 * CounterUniform(1, k, i)));
    const LabelScores scores = ScoreLabels(text.logits, temperature);
    double draw = CounterUniform(2, 0, i);
    while (text.label < 2 && draw >= scores.probabilities[text.label]) draw -= scores.probabilities[text.label++];
    texts.push_back(std::move(text));
  }
  return texts;
}

TEST(LabelCalibrationTest, TheTemperatureThatDrewTheLabelsIsFound) {
  for (const double temperature : {0.5, 1.0, 2.5}) {
    const LabelCalibration found = CalibrateLabels(DrawnLogits(temperature, 4000));
    EXPECT_NEAR(found.temperature / temperature, 1, 0.1) << temperature;
    EXPECT_LE(found.nll, found.nll_before + 1e-3);
  }
}

TEST(LabelCalibrationTest, TheThresholdDividesWhatIsMoreOftenWrongThanRight) {
  // Logit differences of 0.2 say 0.55: wrong every time. Those of 2 say 0.88: right.
  std::vector<LabelledLogits> texts;
  for (int i = 0; i < 30; ++i) texts.push_back({{2, 0}, i == 0 ? size_t{1} : size_t{0}});
  for (int i = 0; i < 6; ++i) texts.push_back({{0.2F, 0}, 1});
  const LabelCalibration found = CalibrateLabels(texts);
  const double low = ScoreLabels(texts.back().logits, found.temperature).confidence;
  const double high = ScoreLabels(texts.front().logits, found.temperature).confidence;
  EXPECT_GT(found.threshold, low);
  EXPECT_LE(found.threshold, high);
  EXPECT_NEAR(found.accuracy, 29.0 / 36, 1e-12);
  EXPECT_NEAR(found.decided, 30.0 / 36, 1e-12);
  EXPECT_NEAR(found.decided_accuracy, 29.0 / 30, 1e-12);
}

TEST(LabelCalibrationTest, PerfectAnswersKeepTheMiddle) {
  const LabelCalibration found = CalibrateLabels(std::vector<LabelledLogits>(10, {{5, 0, 0}, 0}));
  EXPECT_EQ(found.threshold, 0.5);
  EXPECT_EQ(found.accuracy, 1);
  EXPECT_LT(found.nll, 0.2);
}

// Few texts that were all right say little of one that the router is in two minds about.
TEST(LabelCalibrationTest, PerfectAnswersMakeItSureOfNothingElse) {
  std::vector<LabelledLogits> texts;
  for (int i = 0; i < 60; ++i) texts.push_back({{3 + 0.1F * static_cast<float>(i), 0, 0, 0, 0, 0, 0}, 0});
  const LabelCalibration found = CalibrateLabels(texts);
  EXPECT_GT(found.temperature, 0.7);
  const std::vector<float> near_tie = {0.5F, 0, 0, 0, 0, 0, 0};
  EXPECT_LT(ScoreLabels(near_tie, found.temperature).confidence, 0.4);
}

TEST(LabelCalibrationTest, AFewHopelessAnswersDoNotLeadTheSearchAstray) {
  std::vector<LabelledLogits> texts;
  for (int i = 0; i < 1000; ++i) {
    const bool wrong = i % 200 == 0;
    texts.push_back({wrong ? std::vector<float>{80, 0} : std::vector<float>{1, 0}, wrong ? size_t{1} : size_t{0}});
  }
  const LabelCalibration found = CalibrateLabels(texts);
  EXPECT_NEAR(found.temperature, 2.5, 0.3);
  EXPECT_NEAR(found.nll, 0.67, 0.02);
}

TEST(LabelCalibrationTest, OfNoTextsItIsTheIdentity) {
  const LabelCalibration found = CalibrateLabels({});
  EXPECT_EQ(found.temperature, 1);
  EXPECT_EQ(found.threshold, 0.5);
}

}  // namespace
}  // namespace enigma::engine
