#include "engine/image/augmentation.h"

#include <set>

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
