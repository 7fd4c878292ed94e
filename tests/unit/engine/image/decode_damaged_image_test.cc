// What is no picture, or too much of one, gets a sentence, and no memory for its pixels.
#include <sys/resource.h>

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "engine/image/decode_image.h"
#include "tests/support/encoded_images.h"

namespace enigma::engine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Bytes = std::vector<uint8_t>;

Bytes Speckled(uint32_t side) {
  Bytes rgb(size_t{3} * side * side);
  for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<uint8_t>(i * 2654435761U >> 24);
  return rgb;
}

Bytes SomePng() { return EncodePngOf(Speckled(24), 24, 24); }
Bytes SomeJpeg() { return EncodeJpeg(Speckled(24), 24, 24); }

std::string Complaint(const Bytes& file, const ImageLimits& limits = {}) {
  const auto image = DecodeImage(file, limits);
  if (image.ok()) return "";
  EXPECT_EQ(image.status().code(), absl::StatusCode::kInvalidArgument) << image.status().ToString();
  return ToString(image.status().message());
}

TEST(DecodeDamagedImageTest, ContentDecidesWhatItIs) {
  for (const char* text : {"", "GIF89a......", "<svg/>", "\x89PNG", "BM", "\xFF\xD8", "%PDF-1.4"}) {
    const std::string file = text;
    EXPECT_THAT(Complaint(Bytes(file.begin(), file.end())), HasSubstr("neither a JPEG nor a PNG")) << text;
  }
}

TEST(DecodeDamagedImageTest, ThirtyThousandSquareIsRefusedByItsHeader) {
  EXPECT_THAT(Complaint(PromisingPng(30000, 30000, "")),
              AllOf(HasSubstr("30000 x 30000 pixels"), HasSubstr("at most 16384 on a side")));
  EXPECT_THAT(Complaint(PromisingPng(16384, 16384, "")), HasSubstr("40000000 altogether"));
  EXPECT_THAT(Complaint(PromisingPng(0x7FFFFFFF, 0x7FFFFFFF, "")), HasSubstr("at most 16384 on a side"));
  EXPECT_THAT(Complaint(PromisingPng(0, 5, "")), HasSubstr("it has no pixels"));
}

TEST(DecodeDamagedImageTest, HugeJpegIsRefusedByItsHeader) {
  Bytes file = SomeJpeg();
  const Bytes frame = {0xFF, 0xC0, 0, 17, 8, 0, 24, 0, 24};
  const auto at = std::search(file.begin(), file.end(), frame.begin(), frame.end());
  ASSERT_NE(at, file.end());
  at[5] = at[7] = 0x75;
  at[6] = at[8] = 0x30;
  EXPECT_THAT(Complaint(file), HasSubstr("30000 x 30000 pixels"));
}

TEST(DecodeDamagedImageTest, LimitsAreInclusive) {
  const Bytes png = SomePng();
  EXPECT_EQ(Complaint(png, {.bytes_max = png.size(), .side_max = 24, .pixels_max = 576}), "");
  EXPECT_THAT(Complaint(png, {.bytes_max = png.size() - 1}), HasSubstr("bytes; at most"));
  EXPECT_THAT(Complaint(png, {.side_max = 23}), HasSubstr("at most 23 on a side"));
  EXPECT_THAT(Complaint(png, {.pixels_max = 575}), HasSubstr("575 altogether"));
}

TEST(DecodeDamagedImageTest, FewBytesThatPromiseMuchAreCutShort) {
  rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  EXPECT_EQ(Complaint(PromisingPng(8000, 5000, "")), "the PNG is damaged: it is cut short");
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 32 * 1024);  // KiB; its pixels would be 160 MB
}

TEST(DecodeDamagedImageTest, EveryTruncationIsNoticed) {
  const Bytes png = SomePng(), jpeg = SomeJpeg();
  for (size_t size = 8; size < png.size(); ++size) {
    EXPECT_THAT(Complaint(Bytes(png.begin(), png.begin() + static_cast<long>(size))), HasSubstr("damaged")) << size;
  }
  for (size_t size = 3; size < jpeg.size(); ++size) {
    EXPECT_THAT(Complaint(Bytes(jpeg.begin(), jpeg.begin() + static_cast<long>(size))), HasSubstr("damaged")) << size;
  }
}

TEST(DecodeDamagedImageTest, ChangedPngBytesAreNoticedByChecksums) {
  const Bytes png = SomePng();
  for (size_t at = 8; at < png.size(); ++at) {
    Bytes changed = png;
    changed[at] ^= 0x10;
    EXPECT_NE(Complaint(changed), "") << at;
  }
}

TEST(DecodeDamagedImageTest, JpegWithALostPieceIsRefusedNotFilledIn) {
  Bytes jpeg = SomeJpeg();
  jpeg.erase(jpeg.end() - 120, jpeg.end() - 60);
  jpeg[jpeg.size() - 40] = 0xFF;
  jpeg[jpeg.size() - 39] = 0xD3;
  EXPECT_THAT(Complaint(jpeg), HasSubstr("the JPEG is damaged"));
}

TEST(DecodeDamagedImageTest, WhatFollowsThePictureIsRefused) {
  for (Bytes file : {SomePng(), SomeJpeg()}) {
    file.insert(file.end(), 512, 0);
    EXPECT_EQ(Complaint(file), "");  // padding
    for (const char c : {'P', 'K', '\3', '\4'}) file.push_back(static_cast<uint8_t>(c));
    EXPECT_THAT(Complaint(file), HasSubstr("516 bytes that are no picture follow the end of the"));
  }
}

TEST(DecodeDamagedImageTest, MoreScansThanAnyProgramWritesAreRefused) {
  const Bytes few = EncodeJpeg(Speckled(24), 24, 24, {.scans = 40});
  EXPECT_EQ(Complaint(few), "");
  const Bytes many = EncodeJpeg(Speckled(24), 24, 24, {.scans = 41});
  EXPECT_THAT(Complaint(many), HasSubstr("it has more than 40 scans"));
}

}  // namespace
}  // namespace enigma::engine
