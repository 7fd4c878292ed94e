#include "engine/kernels/rms_norm_backward.h"

#include <cmath>
#include <cstring>
#include <functional>

#include <gtest/gtest.h>

#include "engine/kernels/cpu_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

constexpr float kEpsilon = 1e-5F;

class RmsNormBackwardTest : public testing::TestWithParam<size_t> {
 protected:
  void TearDown() override { ForceCpuTarget(0); }
};

// What training makes smaller: the outputs of one row weighted by d_out.
double Loss(const std::vector<double>& x, const std::vector<double>& weight, const std::vector<float>& d_out) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) + static_cast<double>(kEpsilon));
  double loss = 0;
  for (size_t i = 0; i < x.size(); ++i) loss += x[i] * scale * weight[i] * static_cast<double>(d_out[i]);
  return loss;
}

double Slope(std::vector<double>& at, size_t i, const std::function<double()>& loss) {
  constexpr double kStep = 1e-5;
  const double value = at[i];
  at[i] = value + kStep;
  const double above = loss();
  at[i] = value - kStep;
  const double below = loss();
  at[i] = value;
  return (above - below) / (2 * kStep);
}

TEST_P(RmsNormBackwardTest, AgreesWithFiniteDifferencesInDouble) {
  const size_t width = GetParam();
  const std::vector<float> x = NormalFloats(width, 1, 2.0F);
  const std::vector<float> weight = NormalFloats(width, 2);
  const std::vector<float> d_out = NormalFloats(width, 3);
  std::vector<double> exact_x(x.begin(), x.end());
  std::vector<double> exact_weight(weight.begin(), weight.end());
  const auto loss = [&] { return Loss(exact_x, exact_weight, d_out); };
  ThreadPool pool(1);
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    std::vector<float> d_x(width);
    std::vector<float> d_weight(width, 0.25F);
    RmsNormBackward(d_out.data(), width, x.data(), width, weight.data(), kEpsilon, 1, width, d_x.data(), width,
                    d_weight.data(), pool);
    for (size_t i = 0; i < width; i += 1 + width / 64) {
      EXPECT_NEAR(d_x[i], Slope(exact_x, i, loss), 2e-6) << i;
      EXPECT_NEAR(d_weight[i], 0.25 + Slope(exact_weight, i, loss), 2e-6) << i;  // added to what was there
    }
  }
}

TEST_P(RmsNormBackwardTest, SameBitsInPlaceOnEveryTargetAndThreadCount) {
  const size_t width = GetParam();
  const size_t tokens = 40000 / width + 2;
  const std::vector<float> x = NormalFloats(tokens * width, 4);
  const std::vector<float> weight = NormalFloats(width, 5);
  const std::vector<float> d_out = NormalFloats(tokens * width, 6);
  std::vector<float> expected(x.size());
  std::vector<float> expected_weight(width);
  ThreadPool one(1);
  for (size_t t = 0; t < tokens; ++t) {
    RmsNormBackward(&d_out[t * width], 0, &x[t * width], 0, weight.data(), kEpsilon, 1, width, &expected[t * width], 0,
                    expected_weight.data(), one);
  }
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    for (const int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      std::vector<float> d_x = d_out;
      std::vector<float> d_weight(width);
      RmsNormBackward(d_x.data(), width, x.data(), width, weight.data(), kEpsilon, tokens, width, d_x.data(), width,
                      d_weight.data(), pool);
      ASSERT_EQ(std::memcmp(d_x.data(), expected.data(), d_x.size() * 4), 0) << CpuTargetName();
      ASSERT_EQ(std::memcmp(d_weight.data(), expected_weight.data(), width * 4), 0) << CpuTargetName();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, RmsNormBackwardTest, testing::Values(1, 8, 16, 37, 64, 2048, 5000));

}  // namespace
}  // namespace enigma::engine
