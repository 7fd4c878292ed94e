#include "engine/kernels/dropout.h"

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "tests/unit/engine/kernels/every_target.h"
#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

constexpr DropoutKey kKey = {0x123456789ABCDEF0, 0xFEDCBA9876543210};

// The 32 bits of an element as dropout_cpu.h says, from the generator that the rest of the project draws from.
uint32_t Bits(const DropoutKey& key, uint32_t row, size_t column) {
  const auto low = [](uint64_t v) { return static_cast<uint32_t>(v); };
  const auto block = static_cast<uint32_t>(column / 32 * 8 + column % 16 / 2);
  const auto words = Philox({block, row, low(key.stream), low(key.stream >> 32)}, {low(key.seed), low(key.seed >> 32)});
  return words[column % 32 / 16 * 2 + column % 2];
}

TEST(DropoutTest, KeepsWhatTheGeneratorSaysOnEveryTargetAndThreadCount) {
  constexpr size_t kTokens = 300;
  constexpr size_t kWidth = 133;
  constexpr size_t kStride = kWidth + 3;
  constexpr uint32_t kFirst = 70000;
  const std::vector<float> x = NormalFloats(kTokens * kStride, 1);
  for (const float probability : {0.1F, 0.5F, 0.875F}) {
    const double threshold = static_cast<double>(probability) * 0x1p32;
    const auto scale = static_cast<float>(1 / (1 - static_cast<double>(probability)));
    std::vector<float> expected = x;
    for (size_t t = 0; t < kTokens; ++t) {
      for (size_t i = 0; i < kWidth; ++i) {
        // The bits are compared as a signed number.
        const double drawn =
            static_cast<double>(static_cast<int32_t>(Bits(kKey, kFirst + static_cast<uint32_t>(t), i))) + 0x1p31;
        float& v = expected[t * kStride + i];
        v = drawn >= std::floor(threshold) ? v * scale : 0.0F;
      }
    }
    ForEveryTargetAndThreadCount([&](ThreadPool& pool) {
      std::vector<float> out = x;
      Dropout(out.data(), kStride, kTokens, kWidth, probability, kKey, kFirst, pool);
      ASSERT_EQ(std::memcmp(out.data(), expected.data(), out.size() * 4), 0) << CpuTargetName();
    });
  }
}

std::vector<float> Mask(float probability, const DropoutKey& key, uint64_t first_row, size_t tokens, size_t width) {
  ThreadPool pool(1);
  std::vector<float> ones(tokens * width, 1.0F);
  Dropout(ones.data(), width, tokens, width, probability, key, first_row, pool);
  return ones;
}

TEST(DropoutTest, ARowsMaskDependsNeitherOnTheBatchNorOnTheWidth) {
  const std::vector<float> all = Mask(0.3F, kKey, 0, 8, 100);
  for (size_t t = 0; t < 8; ++t) {
    EXPECT_EQ(Mask(0.3F, kKey, t, 1, 100), std::vector<float>(&all[t * 100], &all[t * 100] + 100));
    EXPECT_EQ(Mask(0.3F, kKey, t, 1, 41), std::vector<float>(&all[t * 100], &all[t * 100] + 41));
  }
}

TEST(DropoutTest, DropsTheShareAskedForAndKeepsTheMean) {
  constexpr size_t kTokens = 1000;
  constexpr size_t kWidth = 256;
  constexpr double kCount = kTokens * kWidth;
  for (const float probability : {0.01F, 0.1F, 0.5F, 0.9F}) {
    const std::vector<float> mask = Mask(probability, kKey, 0, kTokens, kWidth);
    double dropped = 0;
    double sum = 0;
    for (const float v : mask) {
      dropped += v == 0 ? 1 : 0;
      sum += static_cast<double>(v);
    }
    const double p = probability;
    EXPECT_NEAR(dropped / kCount, p, 4 * std::sqrt(p * (1 - p) / kCount));
    EXPECT_NEAR(sum / kCount, 1, 4 * std::sqrt(p / (1 - p) / kCount));
  }
}

TEST(DropoutTest, StreamsSeedsRowsAndColumnsAreIndependent) {
  constexpr size_t kWidth = 20000;
  const std::vector<float> mask = Mask(0.5F, kKey, 5, 1, kWidth);
  const auto agreement = [&](const std::vector<float>& other, size_t shift) {
    double same = 0;
    for (size_t i = 0; i + shift < kWidth; ++i) same += mask[i + shift] == other[i] ? 1 : 0;
    return same / static_cast<double>(kWidth - shift);
  };
  EXPECT_NEAR(agreement(Mask(0.5F, {kKey.seed + 1, kKey.stream}, 5, 1, kWidth), 0), 0.5, 0.015);
  EXPECT_NEAR(agreement(Mask(0.5F, {kKey.seed + (uint64_t{1} << 32), kKey.stream}, 5, 1, kWidth), 0), 0.5, 0.015);
  EXPECT_NEAR(agreement(Mask(0.5F, {kKey.seed, kKey.stream + 1}, 5, 1, kWidth), 0), 0.5, 0.015);
  EXPECT_NEAR(agreement(Mask(0.5F, {kKey.seed, kKey.stream + (uint64_t{1} << 32)}, 5, 1, kWidth), 0), 0.5, 0.015);
  EXPECT_NEAR(agreement(Mask(0.5F, kKey, 6, 1, kWidth), 0), 0.5, 0.015);
  for (const size_t shift : {1, 2, 8, 16, 32, 64}) EXPECT_NEAR(agreement(mask, shift), 0.5, 0.015) << shift;
}

TEST(DropoutTest, NothingIsDroppedAtZero) { EXPECT_EQ(Mask(0.0F, kKey, 0, 3, 50), std::vector<float>(150, 1.0F)); }

}  // namespace
}  // namespace enigma::engine
