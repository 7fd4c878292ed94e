#include "engine/image/resize.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counter_random.h"

namespace enigma::engine {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

Image Noise(uint32_t width, uint32_t height) {
  Image image = Image::Blank(width, height);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(256 * CounterUniform(7, 1, i));
  return image;
}

// The same filter in double, straight from its description.
double Reference(const Image& image, const ImageRegion& region, uint32_t width, uint32_t height, uint32_t x, uint32_t y,
                 size_t c) {
  const auto weight = [](double old, double at, double ratio) {
    return std::max(0.0, 1 - std::abs(old + 0.5 - (at + 0.5) * ratio) / std::max(1.0, ratio));
  };
  double sum = 0, total = 0;
  for (uint32_t j = 0; j < region.height; ++j) {
    const double row = weight(j, y, static_cast<double>(region.height) / height);
    for (uint32_t i = 0; i < region.width; ++i) {
      const double share = row * weight(i, x, static_cast<double>(region.width) / width);
      sum += share * image.pixel(region.x + i, region.y + j)[c];
      total += share;
    }
  }
  return sum / total;
}

TEST(ResizeTest, IsTheFilterOfTheReference) {
  const Image image = Noise(37, 29);
  const ImageRegion regions[] = {{0, 0, 37, 29}, {5, 3, 20, 17}, {36, 28, 1, 1}};
  for (const ImageRegion& region : regions) {
    for (const auto& [width, height] : {std::pair<uint32_t, uint32_t>{8, 8}, {64, 50}, {37, 5}, {1, 1}, {3, 70}}) {
      const Image resized = Resize(image, region, width, height);
      for (uint32_t y = 0; y < height; ++y) {
        for (uint32_t x = 0; x < width; ++x) {
          for (size_t c = 0; c < 3; ++c) {
            ASSERT_NEAR(resized.pixel(x, y)[c], Reference(image, region, width, height, x, y, c), 0.52)
                << width << "x" << height << " at " << x << "," << y;
          }
        }
      }
    }
  }
}

TEST(ResizeTest, SameSizeChangesNothing) {
  const Image image = Noise(33, 21);
  EXPECT_EQ(Resize(image, {0, 0, 33, 21}, 33, 21).rgb, image.rgb);
}

TEST(ResizeTest, OneColourStaysIt) {
  Image image = Image::Blank(301, 7);
  image.rgb.assign(image.rgb.size(), 255);
  for (const uint32_t side : {1U, 13U, 400U}) EXPECT_THAT(Resize(image, {0, 0, 301, 7}, side, side).rgb, Each(255));
}

TEST(ResizeTest, BytesAreTheseOnEveryMachine) {
  const Image image = Noise(10, 9);
  EXPECT_THAT(Resize(image, {1, 1, 8, 7}, 2, 2).rgb,
              ElementsAre(126, 114, 119, 136, 141, 118, 124, 129, 134, 138, 125, 149));
}

TEST(ResizeTest, LongSidesDoNotOverflow) {
  Image image = Image::Blank(65536, 1);
  image.rgb.assign(image.rgb.size(), 255);
  EXPECT_THAT(Resize(image, {0, 0, 65536, 1}, 3, 2).rgb, Each(255));
}

}  // namespace
}  // namespace enigma::engine
