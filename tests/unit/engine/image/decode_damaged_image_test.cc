// What is no picture, or too much of one, gets a sentence, and no memory for its pixels.
#include <sys/resource.h>
#include <zlib.h>

#include <algorithm>
#include <string>
#include <vector>

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

// The place of the frame header's height and width in a JPEG of 24 x 24.
Bytes::iterator SizesIn(Bytes& jpeg) {
  const Bytes frame = {0xFF, 0xC0, 0, 17, 8, 0, 24, 0, 24};
  return std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end()) + 5;
}

Bytes JpegOf(uint16_t width, uint16_t height) {
  Bytes file = SomeJpeg();
  const uint8_t sizes[] = {static_cast<uint8_t>(height >> 8), static_cast<uint8_t>(height),
                           static_cast<uint8_t>(width >> 8), static_cast<uint8_t>(width)};
  std::copy_n(sizes, 4, SizesIn(file));
  return file;
}

std::string Deflated(const Bytes& bytes) {
  std::string out(compressBound(bytes.size()), '\0');
  uLongf size = out.size();
  EXPECT_EQ(compress2(reinterpret_cast<Bytef*>(out.data()), &size, bytes.data(), bytes.size(), 9), Z_OK);
  out.resize(size);
  return out;
}

int64_t CpuMilliseconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000;
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
  EXPECT_THAT(Complaint(JpegOf(30000, 30000)), HasSubstr("30000 x 30000 pixels"));
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
  EXPECT_EQ(Complaint(JpegOf(8000, 5000)), "the JPEG is damaged: it is cut short");
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

// More than a minute of processor time, were it quadratic; 1.2 MB are read in a few milliseconds.
TEST(DecodeDamagedImageTest, MarkersWithoutNumberCostTheirBytes) {
  Bytes file = EncodeJpeg(Speckled(24), 24, 24, {.orientation = 6});
  const Bytes empty = {0xFF, 0xE1, 0, 2};
  Bytes markers;
  for (int i = 0; i < 300'000; ++i) markers.insert(markers.end(), empty.begin(), empty.end());
  file.insert(file.begin() + 2, markers.begin(), markers.end());
  const int64_t before = CpuMilliseconds();
  EXPECT_EQ(Complaint(file), "");
  EXPECT_LT(CpuMilliseconds() - before, 5000);
}

TEST(DecodeDamagedImageTest, ExifMarkersThatLieAboutTheirLengthAreRefused) {
  for (const Bytes& marker : {Bytes{0xFF, 0xE1, 0, 0}, Bytes{0xFF, 0xE1, 0, 1}, Bytes{0xFF, 0xE1, 0xFF, 0xFF}}) {
    Bytes file = SomeJpeg();
    file.insert(file.begin() + 2, marker.begin(), marker.end());
    EXPECT_THAT(Complaint(file), HasSubstr("the JPEG is damaged"));
  }
  EXPECT_THAT(Complaint({0xFF, 0xD8, 0xFF, 0xE1, 0}), HasSubstr("the JPEG is damaged"));
}

TEST(DecodeDamagedImageTest, WhatFollowsTheLastRowIsNotUnpacked) {
  Bytes one = {0, 1, 2, 3};  // a filter, and a pixel
  EXPECT_EQ(Complaint(PromisingPng(1, 1, Deflated(one))), "");
  EXPECT_THAT(Complaint(PromisingPng(1, 1, Deflated(one) + std::string(40, 'x'))), HasSubstr("Extra compressed data"));
  Bytes two = one;
  two.push_back(0);
  EXPECT_THAT(Complaint(PromisingPng(1, 1, Deflated(two))), HasSubstr("Too much image data"));
  // Beyond a tail that no file has, nothing is looked at: the check comes before that of the contents.
  one.resize(size_t{128} << 20);
  EXPECT_EQ(Complaint(PromisingPng(1, 1, Deflated(one))), "the PNG is damaged: more follows its last row");
}

// Every place where a scan begins, and the picture's end put there.
TEST(DecodeDamagedImageTest, JpegThatEndsBetweenScansIsRefused) {
  for (const JpegOptions& options : {JpegOptions{.is_progressive = true}, JpegOptions{.scans = 9}}) {
    const Bytes file = EncodeJpeg(Speckled(24), 24, 24, options);
    ASSERT_EQ(Complaint(file), "");
    size_t scans = 0;
    for (size_t at = 2; at + 1 < file.size(); ++at) {
      if (file[at] != 0xFF || file[at + 1] != 0xDA || scans++ == 0) continue;
      Bytes cut(file.begin(), file.begin() + static_cast<long>(at));
      cut.insert(cut.end(), {0xFF, 0xD9});
      EXPECT_EQ(Complaint(cut), "the JPEG is damaged: it lacks scans") << at;
    }
    EXPECT_GE(scans, 9U);
  }
}

TEST(DecodeDamagedImageTest, ArithmeticCodingIsRefused) {
  Bytes file = SomeJpeg();
  *(SizesIn(file) - 4) = 0xC9;  // an arithmetic-coded frame
  EXPECT_THAT(Complaint(file), HasSubstr("it is arithmetic-coded"));
}

TEST(DecodeDamagedImageTest, WhatStandsBeforeTheEndOfAJpegIsRefused) {
  Bytes file = SomeJpeg();
  const std::string script = "<script>alert(1)</script>";
  file.insert(file.end() - 2, script.begin(), script.end());
  EXPECT_THAT(Complaint(file), HasSubstr("extraneous bytes"));
}

TEST(DecodeDamagedImageTest, MoreScansThanAnyProgramWritesAreRefused) {
  const Bytes few = EncodeJpeg(Speckled(24), 24, 24, {.scans = 40});
  EXPECT_EQ(Complaint(few), "");
  const Bytes many = EncodeJpeg(Speckled(24), 24, 24, {.scans = 41});
  EXPECT_THAT(Complaint(many), HasSubstr("it has more than 40 scans"));
}

}  // namespace
}  // namespace enigma::engine
