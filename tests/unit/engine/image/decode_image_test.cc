// Every kind of JPEG and PNG becomes the same upright 8-bit RGB.
#include "engine/image/decode_image.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/image/encode_png.h"
#include "tests/support/encoded_images.h"
#include "tests/support/test_data.h"

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using Bytes = std::vector<uint8_t>;

constexpr uint32_t kWidth = 19, kHeight = 13;  // no multiple of a JPEG's blocks

// Smooth, so that JPEG keeps it closely, and different in every corner.
Image Gradient() {
  Image image = Image::Blank(kWidth, kHeight);
  for (uint32_t y = 0; y < kHeight; ++y) {
    for (uint32_t x = 0; x < kWidth; ++x) {
      uint8_t* pixel = image.pixel(x, y);
      pixel[0] = static_cast<uint8_t>(20 + 11 * x);
      pixel[1] = static_cast<uint8_t>(30 + 15 * y);
      pixel[2] = static_cast<uint8_t>(200 - 5 * x - 4 * y);
    }
  }
  return image;
}

Image Decoded(const Bytes& file) {
  auto image = DecodeImage(file);
  EXPECT_TRUE(image.ok()) << image.status().ToString();
  return image.ok() ? *std::move(image) : Image{};
}

Bytes PixelAt(const Image& image, uint32_t x, uint32_t y) { return {image.pixel(x, y), image.pixel(x, y) + 3}; }

int LargestDifference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.rgb.size() != b.rgb.size()) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

TEST(DecodeImageTest, PngIsExactWithAndWithoutInterlacing) {
  const Image image = Gradient();
  for (const bool is_interlaced : {false, true}) {
    const Image decoded = Decoded(EncodePngOf(image.rgb, kWidth, kHeight, {.is_interlaced = is_interlaced}));
    EXPECT_EQ(LargestDifference(decoded, image), 0);
  }
}

TEST(DecodeImageTest, WhatIsEncodedHereComesBack) {
  const Image image = Gradient();
  const auto file = EncodePng(image);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(LargestDifference(Decoded(*file), image), 0);
}

TEST(DecodeImageTest, PngOfSixteenBitsIsScaled) {
  const Image image = Decoded(EncodePngOf({0x80, 0x7F, 0x00, 0x00, 0xFF, 0xFF}, 1, 1, {.bits = 16}));
  EXPECT_THAT(PixelAt(image, 0, 0), ElementsAre(128, 0, 255));
}

TEST(DecodeImageTest, PngOfGreyBecomesRgb) {
  const Image bytes = Decoded(EncodePngOf({7, 250}, 2, 1, {.colour_type = 0}));
  EXPECT_THAT(bytes.rgb, ElementsAre(7, 7, 7, 250, 250, 250));
  const Image bits = Decoded(EncodePngOf({0b01000000}, 2, 1, {.colour_type = 0, .bits = 1}));
  EXPECT_THAT(bits.rgb, ElementsAre(0, 0, 0, 255, 255, 255));
}

TEST(DecodeImageTest, PngOfPaletteBecomesRgb) {
  const Image image = Decoded(
      EncodePngOf({0b00011000}, 3, 1, {.colour_type = 3, .bits = 2, .palette = {255, 0, 0, 0, 255, 0, 1, 2, 3}}));
  EXPECT_THAT(image.rgb, ElementsAre(255, 0, 0, 0, 255, 0, 1, 2, 3));
}

TEST(DecodeImageTest, WhatIsTransparentLiesOnWhite) {
  const Bytes rgba = {10, 20, 30, 0, 10, 20, 30, 255, 100, 0, 255, 128};
  EXPECT_THAT(Decoded(EncodePngOf(rgba, 3, 1, {.colour_type = 6})).rgb,
              ElementsAre(255, 255, 255, 10, 20, 30, 177, 127, 255));
  EXPECT_THAT(Decoded(EncodePngOf({9, 200, 9, 0}, 2, 1, {.colour_type = 4})).rgb,
              ElementsAre(62, 62, 62, 255, 255, 255));
  EXPECT_THAT(Decoded(EncodePngOf({9, 10}, 2, 1, {.colour_type = 0, .transparent_grey = 9})).rgb,
              ElementsAre(255, 255, 255, 10, 10, 10));
  const PngOptions palette = {.colour_type = 3, .palette = {0, 0, 0, 40, 50, 60}, .palette_alpha = {0}};
  EXPECT_THAT(Decoded(EncodePngOf({0, 1}, 2, 1, palette)).rgb, ElementsAre(255, 255, 255, 40, 50, 60));
}

TEST(DecodeImageTest, JpegIsCloseHoweverItIsStored) {
  const Image image = Gradient();
  for (const bool is_progressive : {false, true}) {
    for (const bool halved_colours : {false, true}) {
      const Bytes file =
          EncodeJpeg(image.rgb, kWidth, kHeight, {.is_progressive = is_progressive, .halved_colours = halved_colours});
      EXPECT_LE(LargestDifference(Decoded(file), image), 24) << is_progressive << halved_colours;
    }
  }
}

TEST(DecodeImageTest, JpegOfGreyBecomesRgb) {
  const Image image = Decoded(EncodeJpeg(Bytes(64, 77), 8, 8, {.components = 1}));
  EXPECT_THAT(PixelAt(image, 3, 5), ElementsAre(77, 77, 77));
}

TEST(DecodeImageTest, JpegOfInksBecomesRgb) {
  Bytes inks;
  for (int i = 0; i < 64; ++i) inks.insert(inks.end(), {255, 128, 0, 204});  // what light the inks leave
  Bytes file = EncodeJpeg(inks, 8, 8, {.components = 4, .halved_colours = false, .quality = 100});
  const Image image = Decoded(file);
  EXPECT_NEAR(image.pixel(3, 3)[0], 204, 2);
  EXPECT_NEAR(image.pixel(3, 3)[1], 102, 2);
  EXPECT_NEAR(image.pixel(3, 3)[2], 0, 2);
  // Without Adobe's marker the numbers are amounts of ink.
  const std::string_view adobe("Adobe", 5);
  const auto at = std::search(file.begin(), file.end(), adobe.begin(), adobe.end());
  ASSERT_NE(at, file.end());
  *at = 'a';
  const Image plain = Decoded(file);
  EXPECT_NEAR(plain.pixel(3, 3)[0], 0, 2);
  EXPECT_NEAR(plain.pixel(3, 3)[1], 127 * 51 / 255, 2);
  EXPECT_NEAR(plain.pixel(3, 3)[2], 51, 2);
}

// Where the stored top left corner is to be seen, and the stored top right one.
TEST(DecodeImageTest, OrientationIsApplied) {
  struct Case {
    int orientation;
    uint32_t left_x, left_y, right_x, right_y;
  };
  const uint32_t w = kWidth - 1, h = kHeight - 1;
  const Case cases[] = {{1, 0, 0, w, 0}, {2, w, 0, 0, 0}, {3, w, h, 0, h}, {4, 0, h, w, h},
                        {5, 0, 0, 0, w}, {6, h, 0, h, w}, {7, h, w, h, 0}, {8, 0, w, 0, 0}};
  const Image image = Gradient();
  for (const Case& at : cases) {
    const Image png = Decoded(EncodePngOf(image.rgb, kWidth, kHeight, {.orientation = at.orientation}));
    ASSERT_EQ(png.width, at.orientation >= 5 ? kHeight : kWidth) << at.orientation;
    EXPECT_EQ(PixelAt(png, at.left_x, at.left_y), PixelAt(image, 0, 0)) << at.orientation;
    EXPECT_EQ(PixelAt(png, at.right_x, at.right_y), PixelAt(image, w, 0)) << at.orientation;
    for (const bool little_endian : {false, true}) {
      const Bytes file =
          EncodeJpeg(image.rgb, kWidth, kHeight, {.orientation = at.orientation, .little_endian = little_endian});
      EXPECT_LE(LargestDifference(Decoded(file), png), 24) << at.orientation;
    }
  }
}

TEST(DecodeImageTest, OrientationThatMakesNoSenseIsNone) {
  const Image image = Gradient();
  for (const int orientation : {9, 200}) {
    EXPECT_EQ(LargestDifference(Decoded(EncodePngOf(image.rgb, kWidth, kHeight, {.orientation = orientation})), image),
              0);
  }
}

// A megabyte is more than Exif data need: what is longer counts as none.
TEST(DecodeImageTest, PngWithLongExifDataIsTakenAsItLies) {
  const std::string turned({'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0});
  for (const auto& [bytes, width] : {std::pair<size_t, uint32_t>{1000, 1}, {size_t{2} << 20, 2}}) {
    std::string exif = turned;
    exif.resize(bytes);
    // Stored, not compressed: a filter and two pixels.
    std::string content("\x78\x01\x01\x07\x00\xF8\xFF\x00\x01\x02\x03\x04\x05\x06", 14);
    content += std::string("\x00\x3F\x00\x16", 4);
    const Image image = Decoded(PromisingPng(2, 1, content, exif));
    EXPECT_EQ(image.width, width) << bytes;
  }
}

TEST(DecodeImageTest, HeaderTellsFormatAndSizeWithoutPixels) {
  const Bytes png = PromisingPng(4000, 3000, "");
  const auto header = ReadImageHeader(png, {});
  ASSERT_TRUE(header.ok()) << header.status().ToString();
  EXPECT_EQ(header->format, ImageFormat::kPng);
  EXPECT_EQ(header->width, 4000U);
  EXPECT_EQ(header->height, 3000U);
  const auto jpeg = ReadImageHeader(EncodeJpeg(Gradient().rgb, kWidth, kHeight), {});
  ASSERT_TRUE(jpeg.ok()) << jpeg.status().ToString();
  EXPECT_EQ(jpeg->format, ImageFormat::kJpeg);
  EXPECT_EQ(jpeg->width, kWidth);
  EXPECT_EQ(DecodingBytesMost(*jpeg), 7 * kWidth * kHeight);
  for (const JpegOptions& several : {JpegOptions{.is_progressive = true}, JpegOptions{.scans = 9}}) {
    const auto scans = ReadImageHeader(EncodeJpeg(Gradient().rgb, kWidth, kHeight, several), {});
    ASSERT_TRUE(scans.ok()) << scans.status().ToString();
    EXPECT_EQ(DecodingBytesMost(*scans), 11 * kWidth * kHeight) << "coefficients of all scans";
  }
}

TEST(DecodeImageTest, PhotographsAreTaken) {
  ENIGMA_REQUIRE_DATA(folder, "vision/photos");
  size_t photographs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jpg") continue;
    const std::string file = testing::ReadFileOrDie(entry.path());
    const Image image = Decoded(Bytes(file.begin(), file.end()));
    EXPECT_GE(size_t{image.width} * image.height, 50'000U) << entry.path();
    ++photographs;
  }
  EXPECT_EQ(photographs, 20U);
}

}  // namespace
}  // namespace enigma::engine
