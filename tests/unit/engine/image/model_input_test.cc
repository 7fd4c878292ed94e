#include "engine/image/model_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

TEST(ModelInputTest, ChannelsStandApartAndAreScaled) {
  const Image image = {2, 1, {0, 51, 255, 255, 102, 0}};
  const PixelScale scale = {.mean = {0, 0.5F, 0.5F}, .deviation = {1, 0.5F, 0.25F}};
  EXPECT_THAT(ToModelInput(image, scale),
              ElementsAre(0, 1, (51 / 255.0F - 0.5F) / 0.5F, (102 / 255.0F - 0.5F) / 0.5F, 2, -2));
}

TEST(ModelInputTest, WidePictureLiesInTheMiddle) {
  Image image = Image::Blank(40, 20);
  image.rgb.assign(image.rgb.size(), 200);
  const Image square = FitSquare(image, 8, {.mean = {0, 0.5F, 1}});
  ASSERT_EQ(square.width, 8U);
  ASSERT_EQ(square.height, 8U);
  for (uint32_t y = 0; y < 8; ++y) {
    const std::vector<uint8_t> pixel(square.pixel(3, y), square.pixel(3, y) + 3);
    if (y >= 2 && y < 6) {
      EXPECT_THAT(pixel, Each(200)) << y;
    } else {
      EXPECT_THAT(pixel, ElementsAre(0, 128, 255)) << y;
    }
  }
}

TEST(ModelInputTest, SquareAndThinPicturesFit) {
  Image thin = Image::Blank(1, 5000);
  EXPECT_EQ(FitSquare(thin, 16, {}).rgb.size(), 3U * 16 * 16);
  Image square = Image::Blank(7, 7);
  square.rgb.assign(square.rgb.size(), 9);
  EXPECT_THAT(FitSquare(square, 16, {}).rgb, Each(9));
}

}  // namespace
}  // namespace enigma::engine
