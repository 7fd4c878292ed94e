#include "engine/kernels/adamw.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

AdamWStep StepNumber(int n, float weight_decay) {
  AdamWStep step;
  step.learning_rate = 3e-3F;
  step.beta2 = 0.999F;
  step.weight_decay = weight_decay;
  step.bias_correction1 = static_cast<float>(1 - std::pow(static_cast<double>(step.beta1), n));
  step.bias_correction2 = static_cast<float>(1 - std::pow(static_cast<double>(step.beta2), n));
  step.gradient_scale = 0.5F;
  return step;
}

struct Element {
  double parameter = 0;
  double first = 0;
  double second = 0;
};

// The formulas as they stand in the paper, with the decay of every step taken off first.
void StepInDouble(const AdamWStep& step, double gradient, Element& e) {
  const double g = gradient * static_cast<double>(step.gradient_scale);
  const double beta1 = step.beta1;
  const double beta2 = step.beta2;
  e.parameter *= 1 - static_cast<double>(step.learning_rate) * static_cast<double>(step.weight_decay);
  e.first = beta1 * e.first + (1 - beta1) * g;
  e.second = beta2 * e.second + (1 - beta2) * g * g;
  const double m = e.first / static_cast<double>(step.bias_correction1);
  const double v = e.second / static_cast<double>(step.bias_correction2);
  e.parameter -= static_cast<double>(step.learning_rate) * m / (std::sqrt(v) + static_cast<double>(step.epsilon));
}

TEST(AdamWTest, AgreesWithTheFormulasOverSteps) {
  constexpr size_t kCount = 53;
  constexpr int kSteps = 30;
  const std::vector<float> start = NormalFloats(kCount, 1);
  for (const float weight_decay : {0.0F, 0.1F}) {
    for (const int64_t target : AvailableCpuTargets()) {
      ForceCpuTarget(target);
      ThreadPool pool(1);
      std::vector<float> parameters = start;
      std::vector<float> first(kCount);
      std::vector<float> second(kCount);
      std::vector<Element> expected(kCount);
      for (size_t i = 0; i < kCount; ++i) expected[i].parameter = static_cast<double>(start[i]);
      for (int n = 1; n <= kSteps; ++n) {
        const AdamWStep step = StepNumber(n, weight_decay);
        // Of very different sizes; every seventh has none.
        std::vector<float> gradient = NormalFloats(kCount, static_cast<uint32_t>(n) + 1);
        for (size_t i = 0; i < kCount; ++i)
          gradient[i] *= i % 7 == 0 ? 0 : std::pow(10.0F, 2 - static_cast<float>(i % 9));
        AdamW(step, gradient.data(), kCount, parameters.data(), first.data(), second.data(), pool);
        for (size_t i = 0; i < kCount; ++i) StepInDouble(step, static_cast<double>(gradient[i]), expected[i]);
      }
      for (size_t i = 0; i < kCount; ++i) {
        const double scale = std::pow(10.0, 2 - static_cast<double>(i % 9));
        EXPECT_NEAR(parameters[i], expected[i].parameter, 3e-6) << i;
        EXPECT_NEAR(first[i], expected[i].first, 1e-6 * scale) << i;
        EXPECT_NEAR(second[i], expected[i].second, 1e-6 * scale * scale) << i;
      }
    }
  }
  ForceCpuTarget(0);
}

TEST(AdamWTest, TheFirstStepGoesByTheLearningRateAgainstTheGradientsSign) {
  ThreadPool pool(1);
  const std::vector<float> gradient = {4.0F, -0.001F, 0.0F};
  std::vector<float> parameters = {1.0F, 1.0F, 1.0F};
  std::vector<float> first(3);
  std::vector<float> second(3);
  AdamW(StepNumber(1, 0), gradient.data(), 3, parameters.data(), first.data(), second.data(), pool);
  EXPECT_NEAR(parameters[0], 1 - 3e-3, 1e-7);
  EXPECT_NEAR(parameters[1], 1 + 3e-3, 2e-7);  // epsilon is a fifty-thousandth of this one's root
  EXPECT_EQ(parameters[2], 1.0F);
}

TEST(AdamWTest, MomentsWithoutAGradientEndAtZero) {
  ThreadPool pool(1);
  const std::vector<float> gradient(5);
  std::vector<float> parameters(5, 1.0F);
  std::vector<float> first(5, 1e-3F);
  std::vector<float> second(5, 1e-6F);
  AdamWStep step = StepNumber(100000, 0);
  step.beta2 = 0.9F;
  for (int n = 0; n < 1000; ++n) {
    AdamW(step, gradient.data(), 5, parameters.data(), first.data(), second.data(), pool);
    for (size_t i = 0; i < 5; ++i) {
      ASSERT_TRUE(first[i] == 0 || first[i] >= std::numeric_limits<float>::min());
      ASSERT_TRUE(second[i] == 0 || second[i] >= std::numeric_limits<float>::min());
    }
  }
  EXPECT_EQ(first, std::vector<float>(5));
  EXPECT_EQ(second, std::vector<float>(5));
}

TEST(AdamWTest, AGradientThatIsNotFiniteIsNotHidden) {
  ThreadPool pool(1);
  const std::vector<float> gradient = {std::numeric_limits<float>::quiet_NaN()};
  std::vector<float> parameters = {1.0F};
  std::vector<float> first(1);
  std::vector<float> second(1);
  AdamW(StepNumber(1, 0), gradient.data(), 1, parameters.data(), first.data(), second.data(), pool);
  EXPECT_TRUE(std::isnan(parameters[0]));
}

TEST(AdamWTest, SameBitsOnEveryTargetAndThreadCountAndElementByElement) {
  constexpr size_t kCount = 40007;
  const std::vector<float> start = NormalFloats(kCount, 2);
  const std::vector<float> gradient = NormalFloats(kCount, 3, 0.01F);
  const std::vector<float> start_first = NormalFloats(kCount, 4, 0.01F);
  std::vector<float> start_second = NormalFloats(kCount, 5, 0.01F);
  for (float& v : start_second) v *= v;
  const AdamWStep step = StepNumber(7, 0.1F);
  ThreadPool one(1);
  std::vector<float> expected = start;
  std::vector<float> expected_first = start_first;
  std::vector<float> expected_second = start_second;
  for (size_t i = 0; i < kCount; ++i) {
    AdamW(step, &gradient[i], 1, &expected[i], &expected_first[i], &expected_second[i], one);
  }
  ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
    std::vector<float> parameters = start;
    std::vector<float> first = start_first;
    std::vector<float> second = start_second;
    AdamW(step, gradient.data(), kCount, parameters.data(), first.data(), second.data(), pool);
    ASSERT_EQ(std::memcmp(parameters.data(), expected.data(), kCount * 4), 0) << CpuTargetName();
    ASSERT_EQ(std::memcmp(first.data(), expected_first.data(), kCount * 4), 0) << CpuTargetName();
    ASSERT_EQ(std::memcmp(second.data(), expected_second.data(), kCount * 4), 0) << CpuTargetName();
  });
}

}  // namespace
}  // namespace enigma::engine
