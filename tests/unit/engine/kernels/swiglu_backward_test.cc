#include "engine/kernels/swiglu_backward.h"

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "engine/kernels/cpu_target.h"
#include "engine/kernels/swiglu.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

class SwiGluBackwardTest : public testing::Test {
 protected:
  void TearDown() override { ForceCpuTarget(0); }
  ThreadPool pool_{1};
};

double Forward(double gate, double up) { return gate / (1 + std::exp(-gate)) * up; }

TEST_F(SwiGluBackwardTest, AgreesWithFiniteDifferencesInDouble) {
  constexpr size_t kTokens = 3;
  constexpr size_t kWidth = 37;
  const std::vector<float> gate = NormalFloats(kTokens * kWidth, 1, 3.0F);
  const std::vector<float> up = NormalFloats(kTokens * kWidth, 2);
  const std::vector<float> d_out = NormalFloats(kTokens * kWidth, 3);
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    std::vector<float> d_gate(gate.size());
    std::vector<float> d_up(gate.size());
    SwiGluBackward(d_out.data(), kWidth, gate.data(), kWidth, up.data(), kWidth, kTokens, kWidth, d_gate.data(), kWidth,
                   d_up.data(), kWidth, nullptr, pool_);
    for (size_t i = 0; i < gate.size(); ++i) {
      constexpr double kStep = 1e-5;
      const double g = gate[i];
      const double u = up[i];
      const double by_gate = (Forward(g + kStep, u) - Forward(g - kStep, u)) / (2 * kStep) * d_out[i];
      const double by_up = (Forward(g, u + kStep) - Forward(g, u - kStep)) / (2 * kStep) * d_out[i];
      EXPECT_NEAR(d_gate[i], by_gate, 1e-6 * (1 + std::fabs(by_gate))) << i;
      EXPECT_NEAR(d_up[i], by_up, 1e-6 * (1 + std::fabs(by_up))) << i;
    }
  }
}

TEST_F(SwiGluBackwardTest, FarFromZeroTheSlopeIsNoneOrOne) {
  const std::vector<float> gate = {-200.0F, 200.0F};
  const std::vector<float> up = {3.0F, 3.0F};
  const std::vector<float> d_out = {2.0F, 2.0F};
  std::vector<float> d_gate(2);
  std::vector<float> d_up(2);
  SwiGluBackward(d_out.data(), 2, gate.data(), 2, up.data(), 2, 1, 2, d_gate.data(), 2, d_up.data(), 2, nullptr, pool_);
  EXPECT_NEAR(d_gate[0], 0.0F, 1e-30F);
  EXPECT_EQ(d_gate[1], 6.0F);
  EXPECT_NEAR(d_up[0], 0.0F, 1e-30F);
  EXPECT_EQ(d_up[1], 400.0F);
}

TEST_F(SwiGluBackwardTest, SameBitsAtEveryWidthTargetAndThreadCountAndInPlace) {
  constexpr size_t kTokens = 9;
  constexpr size_t kWidth = 2053;
  const std::vector<float> gate = NormalFloats(kTokens * kWidth, 4, 4.0F);
  const std::vector<float> up = NormalFloats(kTokens * kWidth, 5);
  const std::vector<float> d_out = NormalFloats(kTokens * kWidth, 6);
  std::vector<float> expected_gate(gate.size());
  std::vector<float> expected_up(gate.size());
  for (size_t i = 0; i < gate.size(); ++i) {
    SwiGluBackward(&d_out[i], 1, &gate[i], 1, &up[i], 1, 1, 1, &expected_gate[i], 1, &expected_up[i], 1, nullptr,
                   pool_);
  }
  std::vector<float> expected_out(gate.size());
  SwiGlu(gate.data(), kWidth, up.data(), kWidth, kTokens, kWidth, expected_out.data(), kWidth, pool_);
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    for (const int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      std::vector<float> d_gate = gate;
      std::vector<float> d_up = up;
      std::vector<float> out(gate.size());
      SwiGluBackward(d_out.data(), kWidth, d_gate.data(), kWidth, d_up.data(), kWidth, kTokens, kWidth, d_gate.data(),
                     kWidth, d_up.data(), kWidth, out.data(), pool);
      ASSERT_EQ(std::memcmp(d_gate.data(), expected_gate.data(), d_gate.size() * 4), 0) << CpuTargetName();
      ASSERT_EQ(std::memcmp(out.data(), expected_out.data(), out.size() * 4), 0) << CpuTargetName();
      ASSERT_EQ(std::memcmp(d_up.data(), expected_up.data(), d_up.size() * 4), 0) << CpuTargetName();
    }
  }
}

}  // namespace
}  // namespace enigma::engine
