// The small parts of a step: header, exponents, schedule.
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "engine/training/gradient_sums.h"
#include "engine/training/schedule.h"
#include "engine/training/step_header.h"

namespace enigma::engine {
namespace {

StepHeader Sum(StepHeader a, StepHeader b) {
  for (size_t i = 0; i < a.values().size(); ++i) a.values()[i] += b.values()[i];
  return a;
}

TEST(StepHeader, AddsUpWhatEveryRankSays) {
  StepHeader a(2, 3, 2);
  StepHeader b(2, 3, 2);
  a.AddSlot(0, 1.5, 10);
  a.AddSlot(2, 2.25, 7);
  a.SetControl(5);
  a.SetWork(0, 2, 0.5);
  b.AddSlot(1, 4, 3);
  b.SetWork(1, 1, 0.25);
  const StepHeader sum = Sum(a, b);
  EXPECT_EQ(sum.loss(), 7.75);
  EXPECT_EQ(sum.tokens(), 20U);
  EXPECT_EQ(sum.control(), 5U);
  EXPECT_EQ(sum.slots_computed(), 3U);
  EXPECT_EQ(sum.SlotsOf(0), 2U);
  EXPECT_EQ(sum.SlotsOf(1), 1U);
  EXPECT_DOUBLE_EQ(sum.SecondsOf(1), 0.25);
  EXPECT_EQ(sum.FirstNotFinite(), -1);
  EXPECT_FALSE(sum.AnyMisfit());
}

TEST(StepHeader, NamesTheSlotThatIsNotFinite) {
  StepHeader a(1, 4, 1);
  a.AddSlot(1, 3, 1);
  a.AddSlot(3, std::numeric_limits<double>::quiet_NaN(), 1);
  EXPECT_EQ(a.FirstNotFinite(), 3);
  a.MarkNotFinite(2);
  EXPECT_EQ(a.FirstNotFinite(), 2);
}

TEST(StepHeader, TellsWhetherAllStandAlike) {
  const auto with = [](uint64_t step, int32_t exponent) {
    StepHeader header(3, 1, 1);
    header.SetStanding(step, std::vector<int32_t>{24, exponent});
    return header;
  };
  EXPECT_TRUE(Sum(with(70, 16), Sum(with(70, 16), with(70, 16))).AllAlike());
  EXPECT_FALSE(Sum(with(70, 16), Sum(with(70, 16), with(70, 8))).AllAlike());
  EXPECT_FALSE(Sum(with(70, 16), Sum(with(70, 20), with(70, 24))).AllAlike());
  EXPECT_FALSE(Sum(with(69, 16), Sum(with(70, 16), with(71, 16))).AllAlike());
}

TEST(Exponents, KeepTheLargestMagnitudeInItsRange) {
  ModelSpec spec;
  spec.hidden = 16;
  spec.ffn = 16;
  spec.heads = spec.kv_heads = 2;
  spec.head_dim = 8;
  spec.vocab = 16;
  spec.tied_embeddings = true;
  spec.layers.resize(1);
  const ParameterLayout layout(spec);
  ThreadPool pool(1);
  GradientSums sums(layout);
  std::vector<int32_t> exponents(layout.parameters().size(), 24);
  sums.values()[layout.parameters()[0].offset] = -(int64_t{1} << 45);
  sums.values()[layout.parameters()[1].offset] = int64_t{1} << 40;
  sums.values()[layout.parameters()[2].offset] = int64_t{1} << 20;
  AdaptExponents(layout, std::as_const(sums).values(), exponents, pool);
  EXPECT_EQ(exponents[0], 20);
  EXPECT_EQ(exponents[1], 24);
  EXPECT_EQ(exponents[2], 28);
  EXPECT_EQ(exponents[3], 24);  // nothing was added: nothing is known

  std::vector<int64_t> misfits(exponents.size());
  misfits[1] = 2;
  EXPECT_TRUE(LowerExponents(misfits, exponents));
  EXPECT_EQ(exponents[1], 16);
  EXPECT_EQ(exponents[2], 28);
  exponents[1] = -64;
  EXPECT_FALSE(LowerExponents(misfits, exponents));
}

TEST(GradientSums, CountsWhatDoesNotFitAndWhatIsNotFinite) {
  ModelSpec spec;
  spec.hidden = 16;
  spec.ffn = 16;
  spec.heads = spec.kv_heads = 2;
  spec.head_dim = 8;
  spec.vocab = 16;
  spec.tied_embeddings = true;
  spec.layers.resize(1);
  const ParameterLayout layout(spec);
  ThreadPool pool(1);
  GradientSums sums(layout);
  std::vector<float> gradient(layout.floats());
  gradient[0] = 1e30F;
  gradient[1] = std::numeric_limits<float>::infinity();
  gradient[2] = 0.5F;
  const std::vector<int32_t> exponents(layout.parameters().size(), 24);
  EXPECT_FALSE(sums.Add(gradient.data(), 0, layout.floats(), exponents, pool));
  gradient[1] = 0;
  EXPECT_TRUE(sums.Add(gradient.data(), 0, layout.floats(), exponents, pool));
  EXPECT_EQ(sums.misfits()[0], 2);
  EXPECT_EQ(sums.values()[2], int64_t{1} << 24);
  sums.Clear();
  EXPECT_EQ(sums.values()[2], 0);
  EXPECT_EQ(sums.misfits()[0], 0);
}

TEST(Schedule, WarmsUpAndFalls) {
  TrainingConfig config;
  config.steps = 110;
  config.warmup_steps = 10;
  config.learning_rate = 1;
  config.final_learning_rate = 0.2;
  EXPECT_DOUBLE_EQ(LearningRateAt(config, 0), 0.1);
  EXPECT_DOUBLE_EQ(LearningRateAt(config, 9), 1);
  EXPECT_DOUBLE_EQ(LearningRateAt(config, 10), 1);
  EXPECT_NEAR(LearningRateAt(config, 109), 0.2, 1e-12);
  const double half = static_cast<double>(60 - 10) / 99;
  EXPECT_NEAR(LearningRateAt(config, 60), 0.2 + 0.8 * 0.5 * (1 + std::cos(M_PI * half)), 1e-12);
  config.schedule = LearningRateSchedule::kLinear;
  EXPECT_NEAR(LearningRateAt(config, 60), 0.2 + 0.8 * (1 - half), 1e-12);
  config.schedule = LearningRateSchedule::kConstant;
  EXPECT_EQ(LearningRateAt(config, 60), 1);
  config.warmup_steps = 0;
  EXPECT_EQ(LearningRateAt(config, 0), 1);
}

TEST(Schedule, BiasCorrectionIsOneMinusAPower) {
  EXPECT_EQ(BiasCorrection(0.9, 0), 0);
  EXPECT_DOUBLE_EQ(BiasCorrection(0.9, 1), 0.1);
  EXPECT_NEAR(BiasCorrection(0.95, 37), 1 - std::pow(0.95, 37), 1e-13);
  EXPECT_EQ(BiasCorrection(0.9, 1000000), 1);
}

}  // namespace
}  // namespace enigma::engine
