#include "engine/kernels/rms_norm.h"

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "engine/kernels/cpu_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

class RmsNormTest : public testing::TestWithParam<size_t> {
 protected:
  void TearDown() override { ForceCpuTarget(0); }
};

TEST_P(RmsNormTest, AgreesWithDoubleReference) {
  const size_t width = GetParam();
  constexpr size_t kTokens = 5;
  const std::vector<float> x = NormalFloats(kTokens * width, 1, 3.0F);
  const std::vector<float> weight = NormalFloats(width, 2);
  std::vector<float> out(x.size());
  ThreadPool pool(1);
  RmsNorm(x.data(), width, weight.data(), 1e-5F, kTokens, width, out.data(), width, pool);
  for (size_t t = 0; t < kTokens; ++t) {
    double sum = 0;
    for (size_t i = 0; i < width; ++i) sum += std::pow(static_cast<double>(x[t * width + i]), 2);
    const double scale = 1 / std::sqrt(sum / static_cast<double>(width) + 1e-5);
    for (size_t i = 0; i < width; ++i) {
      const double exact = x[t * width + i] * scale * weight[i];
      ASSERT_NEAR(out[t * width + i], exact, std::fabs(exact) * 1e-6 + 1e-30);
    }
  }
}

TEST_P(RmsNormTest, SameBitsInPlaceOnEveryTargetAndThreadCount) {
  const size_t width = GetParam();
  const size_t tokens = 40000 / width + 2;
  const std::vector<float> x = NormalFloats(tokens * width, 3);
  const std::vector<float> weight = NormalFloats(width, 4);
  std::vector<float> expected(x.size());
  ThreadPool one(1);
  for (size_t t = 0; t < tokens; ++t) {
    RmsNorm(x.data() + t * width, 0, weight.data(), 1e-6F, 1, width, expected.data() + t * width, 0, one);
  }
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    for (const int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      std::vector<float> out = x;
      RmsNorm(out.data(), width, weight.data(), 1e-6F, tokens, width, out.data(), width, pool);
      ASSERT_EQ(std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)), 0) << CpuTargetName();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, RmsNormTest, testing::Values(1, 8, 16, 37, 64, 2048, 20000));

}  // namespace
}  // namespace enigma::engine
