#include "engine/kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

class CrossEntropyTest : public testing::TestWithParam<size_t> {};

std::vector<int32_t> Targets(size_t rows, size_t vocab) {
  std::vector<int32_t> targets(rows);
  for (size_t r = 0; r < rows; ++r) targets[r] = r % 5 == 3 ? -1 : static_cast<int32_t>(r * 7919 % vocab);
  return targets;
}

double LossInDouble(const std::vector<double>& logits, size_t target) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double v : logits) sum += std::exp(v - largest);
  return std::log(sum) + largest - logits[target];
}

TEST_P(CrossEntropyTest, AgreesWithDoubleAndItsFiniteDifferences) {
  const size_t vocab = GetParam();
  constexpr size_t kRows = 6;
  const size_t stride = vocab + 3;
  const std::vector<float> logits = NormalFloats(kRows * stride, 1, 4.0F);
  const std::vector<int32_t> targets = Targets(kRows, vocab);
  ThreadPool pool(1);
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    std::vector<float> gradient = logits;
    std::vector<double> losses(kRows, -1.0);
    CrossEntropyGradient(gradient.data(), stride, kRows, vocab, targets.data(), losses.data(), pool);
    for (size_t r = 0; r < kRows; ++r) {
      const float* slopes = &gradient[r * stride];
      EXPECT_EQ(std::memcmp(slopes + vocab, &logits[r * stride + vocab], 3 * sizeof(float)), 0);
      if (targets[r] < 0) {
        EXPECT_EQ(losses[r], 0.0);
        for (size_t v = 0; v < vocab; ++v) ASSERT_EQ(slopes[v], 0.0F);
        continue;
      }
      std::vector<double> row(&logits[r * stride], &logits[r * stride] + vocab);
      const auto at = static_cast<size_t>(targets[r]);
      EXPECT_NEAR(losses[r], LossInDouble(row, at), 3e-7 * (1 + LossInDouble(row, at)));
      double sum = 0;
      for (size_t v = 0; v < vocab; ++v) sum += static_cast<double>(slopes[v]);
      EXPECT_NEAR(sum, 0, 2e-6);
      for (size_t v = 0; v < vocab; v += v == at ? 1 : 1 + vocab / 40) {
        constexpr double kStep = 1e-5;
        const double value = row[v];
        row[v] = value + kStep;
        const double above = LossInDouble(row, at);
        row[v] = value - kStep;
        const double below = LossInDouble(row, at);
        row[v] = value;
        ASSERT_NEAR(slopes[v], (above - below) / (2 * kStep), 1e-6) << v;
      }
      EXPECT_LE(slopes[at], 0.0F);
    }
  }
  ForceCpuTarget(0);
}

TEST_P(CrossEntropyTest, SameBitsOnEveryTargetAndThreadCountAndRowByRow) {
  const size_t vocab = GetParam();
  const size_t rows = 40000 / vocab + 3;
  const std::vector<float> logits = NormalFloats(rows * vocab, 2, 3.0F);
  const std::vector<int32_t> targets = Targets(rows, vocab);
  std::vector<float> expected = logits;
  std::vector<double> expected_losses(rows);
  ThreadPool one(1);
  for (size_t r = 0; r < rows; ++r) {
    CrossEntropyGradient(&expected[r * vocab], 0, 1, vocab, &targets[r], &expected_losses[r], one);
  }
  ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
    std::vector<float> gradient = logits;
    std::vector<double> losses(rows);
    CrossEntropy(gradient.data(), vocab, rows, vocab, targets.data(), losses.data(), pool);
    ASSERT_EQ(std::memcmp(gradient.data(), logits.data(), logits.size() * 4), 0);
    ASSERT_EQ(std::memcmp(losses.data(), expected_losses.data(), rows * 8), 0) << CpuTargetName();
    losses.assign(rows, 0.0);
    CrossEntropyGradient(gradient.data(), vocab, rows, vocab, targets.data(), losses.data(), pool);
    ASSERT_EQ(std::memcmp(losses.data(), expected_losses.data(), rows * 8), 0) << CpuTargetName();
    ASSERT_EQ(std::memcmp(gradient.data(), expected.data(), expected.size() * 4), 0) << CpuTargetName();
  });
}

TEST_P(CrossEntropyTest, ALogitThatIsNotFiniteMakesItsRowNaN) {
  const size_t vocab = GetParam();
  ThreadPool pool(1);
  const int32_t targets[3] = {0, 0, 0};
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (const int64_t target : AvailableCpuTargets()) {
      ForceCpuTarget(target);
      for (const size_t where : {size_t{0}, vocab / 2, vocab - 1}) {
        std::vector<float> logits = NormalFloats(3 * vocab, 3);
        logits[vocab + where] = bad;
        double losses[3];
        CrossEntropy(logits.data(), vocab, 3, vocab, targets, losses, pool);
        EXPECT_TRUE(std::isfinite(losses[0]) && std::isnan(losses[1]) && std::isfinite(losses[2]));
        CrossEntropyGradient(logits.data(), vocab, 3, vocab, targets, losses, pool);
        EXPECT_TRUE(std::isfinite(losses[0]) && std::isnan(losses[1]) && std::isfinite(losses[2]));
        for (size_t v = 0; v < 3 * vocab; ++v) ASSERT_EQ(std::isnan(logits[v]), v / vocab == 1);
      }
    }
  }
  ForceCpuTarget(0);
}

TEST_P(CrossEntropyTest, FarApartLogitsAreExact) {
  const size_t vocab = GetParam();
  ThreadPool pool(1);
  std::vector<float> logits(2 * vocab, -3e38F);
  logits[0] = logits[vocab] = 1000.0F;
  const int32_t targets[2] = {0, static_cast<int32_t>(vocab - 1)};
  double losses[2];
  CrossEntropyGradient(logits.data(), vocab, 2, vocab, targets, losses, pool);
  EXPECT_EQ(losses[0], 0.0);
  for (size_t v = 0; v < vocab; ++v) ASSERT_EQ(logits[v], 0.0F) << v;
  if (vocab == 1) return;
  EXPECT_EQ(losses[1], 1000.0 + static_cast<double>(3e38F));
  EXPECT_EQ(logits[vocab], 1.0F);
  EXPECT_EQ(logits[2 * vocab - 1], -1.0F);
}

INSTANTIATE_TEST_SUITE_P(Vocabs, CrossEntropyTest, testing::Values(1, 7, 16, 37, 512, 1024, 1027, 8192, 50257));

}  // namespace
}  // namespace enigma::engine
