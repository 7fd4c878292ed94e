#include "engine/kernels/dequantise.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/unit/engine/kernels/random_tensor.h"

namespace enigma::engine {
namespace {

TEST(HalfTest, EveryHalfSurvivesARoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = HalfToFloat(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(value)))) << bits;
    } else {
      ASSERT_EQ(FloatToHalf(value), half) << bits;
    }
  }
}

TEST(HalfTest, ValuesOfTheFormat) {
  EXPECT_EQ(HalfToFloat(0x3C00), 1.0F);
  EXPECT_EQ(HalfToFloat(0xC000), -2.0F);
  EXPECT_EQ(HalfToFloat(0x7BFF), 65504.0F);
  EXPECT_EQ(HalfToFloat(0x0001), 0x1p-24F);
  EXPECT_EQ(HalfToFloat(0x0400), 0x1p-14F);
  EXPECT_EQ(HalfToFloat(0x7C00), std::numeric_limits<float>::infinity());
}

// Midpoints go to the even neighbour; anything beyond, to the nearer one.
TEST(HalfTest, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7BFF; ++bits) {
    const float low = HalfToFloat(static_cast<uint16_t>(bits));
    const float high = HalfToFloat(static_cast<uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;
    ASSERT_EQ(FloatToHalf(middle), bits % 2 == 0 ? bits : bits + 1) << bits;
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, 0.0F)), bits) << bits;
    ASSERT_EQ(FloatToHalf(-std::nextafter(middle, 1e9F)), 0x8000 | (bits + 1)) << bits;
  }
  EXPECT_EQ(FloatToHalf(65519.9F), 0x7BFF);
  EXPECT_EQ(FloatToHalf(65520.0F), 0x7C00);
}

TEST(BrainTest, RoundsToNearestEven) {
  EXPECT_EQ(FloatToBrain(1.0F), 0x3F80);
  EXPECT_EQ(FloatToBrain(std::bit_cast<float>(0x3F808000U)), 0x3F80);
  EXPECT_EQ(FloatToBrain(std::bit_cast<float>(0x3F818000U)), 0x3F82);
  EXPECT_EQ(FloatToBrain(std::bit_cast<float>(0x3F808001U)), 0x3F81);
  EXPECT_TRUE(std::isnan(BrainToFloat(FloatToBrain(std::bit_cast<float>(0x7F800001U)))));
  EXPECT_EQ(BrainToFloat(0xC040), -3.0F);
}

// Layouts by hand: one byte per place that matters.
TEST(DequantiseTest, Q4_0PutsLowNibblesFirst) {
  std::vector<uint8_t> block(18, 0x88);
  block[0] = 0x00;
  block[1] = 0x40;  // d = 2
  block[2] = 0xF1;
  std::vector<float> out(32);
  Dequantise(DType::kQ4_0, block.data(), 32, out.data());
  EXPECT_EQ(out[0], (1 - 8) * 2.0F);
  EXPECT_EQ(out[16], (15 - 8) * 2.0F);
  EXPECT_EQ(out[1], 0.0F);
}

TEST(DequantiseTest, Q5_1TakesTheFifthBitFromItsOwnWord) {
  std::vector<uint8_t> block(24, 0);
  block[1] = 0x3C;      // d = 1
  block[3] = 0x3C;      // m = 1
  block[4 + 2] = 0x02;  // bit 17
  block[8 + 1] = 0x30;  // elements 1 (0) and 17 (3)
  std::vector<float> out(32);
  Dequantise(DType::kQ5_1, block.data(), 32, out.data());
  EXPECT_EQ(out[1], 1.0F);
  EXPECT_EQ(out[17], 16 + 3 + 1.0F);
}

TEST(DequantiseTest, Q4KUnpacksTheUpperScales) {
  std::vector<uint8_t> block(144, 0);
  block[1] = 0x3C;            // d = 1
  block[3] = 0x3C;            // dmin = 1
  block[4 + 1] = 2 << 6;      // top bits of scale 5
  block[4 + 5] = 1 << 6;      // top bits of minimum 5
  block[4 + 9] = 0x37;        // low bits: scale 7, minimum 3
  block[16 + 2 * 32] = 0x50;  // sub-block 5 has the high nibbles of bytes 64-95
  std::vector<float> out(256);
  Dequantise(DType::kQ4_K, block.data(), 256, out.data());
  EXPECT_EQ(out[5 * 32], 39 * 5.0F - 19);
  EXPECT_EQ(out[5 * 32 + 1], -19.0F);
  EXPECT_EQ(out[4 * 32], 0.0F);
}

TEST(DequantiseTest, Q6KJoinsNibblesAndPairs) {
  std::vector<uint8_t> block(210, 0);
  block[209] = 0x3C;                           // d = 1
  block[192 + 13] = static_cast<uint8_t>(-3);  // scale of elements 208-223
  block[64 + 17] = 0xA0;                       // high nibble of element 128 + 64 + 17
  block[128 + 32 + 17] = 2 << 4;               // its pair
  std::vector<float> out(256);
  Dequantise(DType::kQ6_K, block.data(), 256, out.data());
  EXPECT_EQ(out[209], -3.0F * (10 + 32 - 32));
  EXPECT_EQ(out[210], -3.0F * -32);
}

struct RoundTrip {
  DType type;
  double error;  // largest root mean square error relative to the data's own size
};

std::string NameOf(const testing::TestParamInfo<RoundTrip>& info) { return Traits(info.param.type).name; }

class QuantiseTest : public testing::TestWithParam<RoundTrip> {};

TEST_P(QuantiseTest, RoundTripError) {
  const std::vector<float> x = NormalFloats(4096, 1);
  std::vector<uint8_t> stored(RowBytes(GetParam().type, x.size()));
  std::vector<float> back(x.size());
  Quantise(GetParam().type, x.data(), x.size(), stored.data());
  Dequantise(GetParam().type, stored.data(), x.size(), back.data());
  double error = 0;
  double size = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    error += std::pow(x[i] - back[i], 2);
    size += std::pow(x[i], 2);
  }
  EXPECT_LE(std::sqrt(error / size), GetParam().error);
}

TEST_P(QuantiseTest, ZerosStayZero) {
  const std::vector<float> x(512, 0.0F);
  std::vector<uint8_t> stored(RowBytes(GetParam().type, x.size()));
  std::vector<float> back(x.size(), 1.0F);
  Quantise(GetParam().type, x.data(), x.size(), stored.data());
  Dequantise(GetParam().type, stored.data(), x.size(), back.data());
  for (const float v : back) ASSERT_EQ(v, 0.0F);
}

INSTANTIATE_TEST_SUITE_P(Types, QuantiseTest,
                         testing::Values(RoundTrip{DType::kF32, 0}, RoundTrip{DType::kF16, 3e-4},
                                         RoundTrip{DType::kBF16, 3e-3}, RoundTrip{DType::kQ8_0, 0.01},
                                         RoundTrip{DType::kQ6_K, 0.025}, RoundTrip{DType::kQ5_0, 0.06},
                                         RoundTrip{DType::kQ5_1, 0.06}, RoundTrip{DType::kQ5_K, 0.06},
                                         RoundTrip{DType::kQ4_0, 0.12}, RoundTrip{DType::kQ4_1, 0.11},
                                         RoundTrip{DType::kQ4_K, 0.12}),
                         NameOf);

}  // namespace
}  // namespace enigma::engine
