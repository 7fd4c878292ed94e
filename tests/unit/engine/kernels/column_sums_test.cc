#include "engine/kernels/column_sums.h"

#include <cstring>

#include <gtest/gtest.h>

#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

class ColumnSumsTest : public testing::TestWithParam<size_t> {};

TEST_P(ColumnSumsTest, AddsTokensInOrder) {
  const size_t width = GetParam();
  constexpr size_t kTokens = 203;
  const size_t stride = width + 2;
  const std::vector<float> d_out = NormalFloats(kTokens * stride, 1);
  const std::vector<float> start = NormalFloats(width, 2);
  std::vector<float> expected = start;
  for (size_t t = 0; t < kTokens; ++t) {
    for (size_t i = 0; i < width; ++i) expected[i] += d_out[t * stride + i];
  }
  ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
    std::vector<float> d_bias = start;
    AddColumnSums(d_out.data(), stride, kTokens, width, d_bias.data(), pool);
    ASSERT_EQ(std::memcmp(d_bias.data(), expected.data(), width * 4), 0) << CpuTargetName();
    // A batch cut in two adds up to the same bits.
    d_bias = start;
    AddColumnSums(d_out.data(), stride, 101, width, d_bias.data(), pool);
    AddColumnSums(&d_out[101 * stride], stride, kTokens - 101, width, d_bias.data(), pool);
    ASSERT_EQ(std::memcmp(d_bias.data(), expected.data(), width * 4), 0) << CpuTargetName();
  });
}

INSTANTIATE_TEST_SUITE_P(Widths, ColumnSumsTest, testing::Values(1, 16, 37, 64, 1000, 4099));

}  // namespace
}  // namespace enigma::engine
