#include "engine/kernels/swiglu.h"

#include <cmath>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/kernels/cpu_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

class SwiGluTest : public testing::Test {
 protected:
  void TearDown() override { ForceCpuTarget(0); }
  ThreadPool pool_{1};
};

// silu(v) * 1 over the whole range: the error of exp shows here.
TEST_F(SwiGluTest, AgreesWithDoubleReference) {
  std::vector<float> gate;
  for (float v = -87.0F; v < 90.0F; v += 0.00371F) gate.push_back(v);
  const std::vector<float> up(gate.size(), 1.0F);
  std::vector<float> out(gate.size());
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    SwiGlu(gate.data(), gate.size(), up.data(), up.size(), 1, gate.size(), out.data(), out.size(), pool_);
    for (size_t i = 0; i < gate.size(); ++i) {
      const double exact = gate[i] / (1 + std::exp(-static_cast<double>(gate[i])));
      ASSERT_NEAR(out[i], exact, std::fabs(exact) * 3e-7) << gate[i];
    }
  }
}

TEST_F(SwiGluTest, ExtremesVanishOrPassThrough) {
  const std::vector<float> gate = {-1e30F, -200.0F, -0.0F, 0.0F, 200.0F, 1e30F};
  const std::vector<float> up(gate.size(), 1.0F);
  std::vector<float> out(gate.size());
  SwiGlu(gate.data(), gate.size(), up.data(), up.size(), 1, gate.size(), out.data(), out.size(), pool_);
  EXPECT_LE(std::fabs(out[1]), 1e-35F);
  EXPECT_EQ(out[2], 0.0F);
  EXPECT_EQ(out[3], 0.0F);
  EXPECT_EQ(out[4], 200.0F);
  EXPECT_EQ(out[5], 1e30F);
}

TEST_F(SwiGluTest, SameBitsAtEveryWidthTargetAndThreadCount) {
  constexpr size_t kWidth = 5633;
  constexpr size_t kTokens = 9;
  const std::vector<float> gate = NormalFloats(kWidth * kTokens, 1, 4.0F);
  const std::vector<float> up = NormalFloats(kWidth * kTokens, 2);
  std::vector<float> expected(gate.size());
  for (size_t i = 0; i < gate.size(); ++i) SwiGlu(&gate[i], 1, &up[i], 1, 1, 1, &expected[i], 1, pool_);
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    for (const int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      std::vector<float> out = gate;
      SwiGlu(out.data(), kWidth, up.data(), kWidth, kTokens, kWidth, out.data(), kWidth, pool);
      ASSERT_EQ(std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)), 0) << CpuTargetName();
    }
  }
}

TEST_F(SwiGluTest, SiluIsItsGateAlone) {
  constexpr size_t kWidth = 37, kStride = 40, kTokens = 5;
  std::vector<float> x = NormalFloats(kStride * kTokens, 1, 4.0F);
  const std::vector<float> before = x, ones(kStride, 1.0F);
  Silu(x.data(), kStride, kTokens, kWidth, pool_);
  for (size_t t = 0; t < kTokens; ++t) {
    std::vector<float> expected(kWidth);
    SwiGlu(before.data() + t * kStride, kWidth, ones.data(), kWidth, 1, kWidth, expected.data(), kWidth, pool_);
    EXPECT_EQ(std::memcmp(x.data() + t * kStride, expected.data(), kWidth * sizeof(float)), 0);
    EXPECT_EQ(x[t * kStride + kWidth], before[t * kStride + kWidth]);
  }
}

TEST_F(SwiGluTest, AddRowsAndBias) {
  std::vector<float> x = {1, 2, 3, 99, 4, 5, 6, 99};
  const std::vector<float> y = {10, 20, 30, 40, 50, 60};
  AddRows(x.data(), 4, y.data(), 3, 2, 3, pool_);
  EXPECT_THAT(x, testing::ElementsAre(11, 22, 33, 99, 44, 55, 66, 99));
  AddBias(x.data(), 4, y.data(), 2, 3, pool_);
  EXPECT_THAT(x, testing::ElementsAre(21, 42, 63, 99, 54, 75, 96, 99));
}

}  // namespace
}  // namespace enigma::engine
