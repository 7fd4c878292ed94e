#include "engine/image/augmentation.h"

#include <algorithm>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;

TEST(AugmentationTest, RegionLiesWithinAndKeepsItsShare) {
  const AugmentationOptions options = {.side_min = 0.75F, .flip = true};
  int flips = 0;
  std::set<uint32_t> widths, lefts, bottoms;
  for (uint64_t sample = 0; sample < 2000; ++sample) {
    const auto [region, flip] = ChooseAugmentation(options, 64, 40, 5, sample);
    ASSERT_GE(region.width, 48U);
    ASSERT_GE(region.height, 30U);
    ASSERT_LE(region.x + region.width, 64U);
    ASSERT_LE(region.y + region.height, 40U);
    flips += flip ? 1 : 0;
    widths.insert(region.width);
    lefts.insert(region.x);
    bottoms.insert(region.y + region.height);
  }
  EXPECT_NEAR(flips, 1000, 120);
  EXPECT_EQ(widths.size(), 17U);  // 48 to 64
  EXPECT_EQ(lefts.size(), 17U);
  EXPECT_EQ(*bottoms.rbegin(), 40U);
}

TEST(AugmentationTest, IsAFunctionOfSeedAndSample) {
  const AugmentationOptions options = {.side_min = 0.5F, .flip = true};
  const auto [region, flip] = ChooseAugmentation(options, 1000, 1000, 42, 1'000'000'000'007);
  EXPECT_THAT((std::vector<uint32_t>{region.x, region.y, region.width, region.height, flip}),
              ElementsAre(119, 274, 766, 719, 0));
  const auto other = ChooseAugmentation(options, 1000, 1000, 43, 1'000'000'000'007);
  EXPECT_NE(other.region.width, region.width);
}

TEST(AugmentationTest, WholePictureWhereNothingIsCropped) {
  const auto [region, flip] = ChooseAugmentation({.side_min = 1}, 33, 9, 1, 2);
  EXPECT_THAT((std::vector<uint32_t>{region.x, region.y, region.width, region.height, flip}),
              ElementsAre(0, 0, 33, 9, 0));
}

// What a model learns from is what it will be asked about: no shape is stretched.
TEST(AugmentationTest, WholePictureIsWhatAModelIsGiven) {
  Image image = Image::Blank(40, 20);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * i >> 3);
  const PixelScale scale = {.mean = {0, 0.5F, 1}};
  const Augmentation whole = {.region = {0, 0, 40, 20}};
  EXPECT_EQ(Augmented(image, whole, 16, scale).rgb, FitSquare(image, 16, scale).rgb);
  // A region is fitted as the picture would be that is cut out of it.
  Image half = Image::Blank(20, 20);
  for (uint32_t y = 0; y < 20; ++y) std::copy_n(image.pixel(7, y), 60, half.pixel(0, y));
  EXPECT_EQ(Augmented(image, {.region = {7, 0, 20, 20}}, 16, scale).rgb, FitSquare(half, 16, scale).rgb);
}

TEST(AugmentationTest, ShareIsKeptWhereItIsNoWholeNumberOfPixels) {
  for (uint64_t sample = 0; sample < 500; ++sample) {
    EXPECT_GE(ChooseAugmentation({.side_min = 0.98F}, 80, 64, 5, sample).region.width, 79U);  // 78.4
  }
}

TEST(AugmentationTest, NothingIsCroppedUnlessAsked) {
  for (uint64_t sample = 0; sample < 20; ++sample) {
    const auto [region, flip] = ChooseAugmentation({}, 64, 40, 5, sample);
    EXPECT_TRUE(region.width == 64 && region.height == 40 && !flip) << sample;
  }
}

TEST(AugmentationTest, FlipMirrors) {
  Image image = {3, 1, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  const Image flipped = Augmented({3, 3,
                                   [&] {
                                     auto rgb = image.rgb;
                                     for (int i = 0; i < 2; ++i)
                                       rgb.insert(rgb.end(), image.rgb.begin(), image.rgb.end());
                                     return rgb;
                                   }()},
                                  {{0, 0, 3, 3}, true}, 3);
  EXPECT_THAT(std::vector<uint8_t>(flipped.rgb.begin(), flipped.rgb.begin() + 9),
              ElementsAre(7, 8, 9, 4, 5, 6, 1, 2, 3));
}

}  // namespace
}  // namespace enigma::engine
