#include "engine/kernels/embedding_backward.h"

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

struct Case {
  size_t width;
  size_t vocab;
};

class EmbeddingBackwardTest : public testing::TestWithParam<Case> {};

// Floats added one by one in the order of tokens: what every target and every number of threads has to give, bit for
// bit.
TEST_P(EmbeddingBackwardTest, AddsRowsInTheOrderOfTokens) {
  const auto [width, vocab] = GetParam();
  constexpr size_t kTokens = 500;
  const size_t stride = width + 3;
  const std::vector<float> d_x = NormalFloats(kTokens * stride, 1);
  const std::vector<float> start = NormalFloats(vocab * width, 2);
  std::vector<int32_t> ids(kTokens);
  for (size_t t = 0; t < kTokens; ++t) ids[t] = static_cast<int32_t>(t * t % vocab);
  std::vector<float> expected = start;
  for (size_t t = 0; t < kTokens; ++t) {
    float* row = &expected[static_cast<size_t>(ids[t]) * width];
    for (size_t i = 0; i < width; ++i) row[i] += d_x[t * stride + i];
  }
  ForEveryTargetAndThreadCount([&, columns = width, rows = vocab](ThreadPool& pool) {
    std::vector<float> d_embedding = start;
    EmbeddingBackward(d_x.data(), stride, ids.data(), kTokens, columns, rows, d_embedding.data(), pool);
    ASSERT_EQ(std::memcmp(d_embedding.data(), expected.data(), expected.size() * 4), 0) << CpuTargetName();
  });
}

INSTANTIATE_TEST_SUITE_P(Shapes, EmbeddingBackwardTest,
                         testing::Values(Case{1, 3}, Case{37, 512}, Case{64, 1}, Case{288, 700}, Case{1027, 90}),
                         [](const auto& shape) { return "Width" + std::to_string(shape.param.width); });

}  // namespace
}  // namespace enigma::engine
