#include "engine/kernels/rope_backward.h"

#include <cstring>

#include <gtest/gtest.h>

#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

constexpr size_t kHeads = 3;
constexpr size_t kTokens = 40;

struct Case {
  RopePairing pairing;
  uint32_t head_dim;
  uint32_t dimensions;
};

class RopeBackwardTest : public testing::TestWithParam<Case> {
 protected:
  // Turned magnitudes differ from 1, as YaRN's do: what holds must hold of the table as it is.
  static RopeTable Table() {
    RopeSpec spec;
    spec.dimensions = GetParam().dimensions;
    spec.scaling = RopeScaling::kYarn;
    spec.factor = 4;
    spec.original_context = 64;
    return RopeTable(spec, 100);
  }
  static std::vector<uint32_t> Positions() {
    std::vector<uint32_t> positions(kTokens);
    for (size_t t = 0; t < kTokens; ++t) positions[t] = static_cast<uint32_t>(t * 37 % 100);
    return positions;
  }
};

// Rotation is linear, so its gradient is its transpose: the product of d_out with Rope(x) is that of
// RopeBackward(d_out) with x, for every pair of them. Each element of d_x by itself is one such product, with a unit
// vector for x.
TEST_P(RopeBackwardTest, IsTheTransposeOfRope) {
  const auto [pairing, head_dim, dimensions] = GetParam();
  const RopeTable table = Table();
  const std::vector<uint32_t> positions = Positions();
  const size_t stride = kHeads * head_dim + 5;
  const std::vector<float> d_out = NormalFloats(kTokens * stride, 1);
  ThreadPool pool(1);
  std::vector<float> d_x = d_out;
  RopeBackward(d_x.data(), stride, kTokens, kHeads, head_dim, positions.data(), table, pairing, pool);
  for (size_t i = 0; i < kHeads * head_dim; ++i) {
    std::vector<float> unit(kTokens * stride);
    for (size_t t = 0; t < kTokens; ++t) unit[t * stride + i] = 1.0F;
    Rope(unit.data(), stride, kTokens, kHeads, head_dim, positions.data(), table, pairing, pool);
    for (size_t t = 0; t < kTokens; ++t) {
      double product = 0;
      for (size_t j = t * stride; j < (t + 1) * stride; ++j) {
        product += static_cast<double>(unit[j]) * static_cast<double>(d_out[j]);
      }
      ASSERT_NEAR(d_x[t * stride + i], product, 1e-6) << t << " " << i;
    }
  }
  for (size_t t = 0; t < kTokens; ++t) {
    for (size_t i = kHeads * head_dim; i < stride; ++i) ASSERT_EQ(d_x[t * stride + i], d_out[t * stride + i]);
  }
}

TEST_P(RopeBackwardTest, SameBitsOnEveryTargetAndThreadCount) {
  const auto [pairing, head_dim, dimensions] = GetParam();
  const RopeTable table = Table();
  constexpr size_t kMany = 400;
  std::vector<uint32_t> positions(kMany);
  for (size_t t = 0; t < kMany; ++t) positions[t] = static_cast<uint32_t>(t % 100);
  const size_t stride = kHeads * head_dim;
  const std::vector<float> d_out = NormalFloats(kMany * stride, 2);
  std::vector<float> expected;
  ForEveryTargetAndThreadCount([&, p = pairing, dim = head_dim](ThreadPool& pool) {
    std::vector<float> d_x = d_out;
    RopeBackward(d_x.data(), stride, kMany, kHeads, dim, positions.data(), table, p, pool);
    if (expected.empty()) expected = d_x;
    ASSERT_EQ(std::memcmp(d_x.data(), expected.data(), d_x.size() * 4), 0) << CpuTargetName();
  });
}

INSTANTIATE_TEST_SUITE_P(Shapes, RopeBackwardTest,
                         testing::Values(Case{RopePairing::kAdjacent, 32, 32}, Case{RopePairing::kAdjacent, 44, 40},
                                         Case{RopePairing::kAdjacent, 64, 64}, Case{RopePairing::kHalves, 32, 32},
                                         Case{RopePairing::kHalves, 44, 40}, Case{RopePairing::kHalves, 64, 64}),
                         [](const auto& shape) {
                           return (shape.param.pairing == RopePairing::kAdjacent ? "Adjacent" : "Halves") +
                                  std::to_string(shape.param.head_dim);
                         });

}  // namespace
}  // namespace enigma::engine
