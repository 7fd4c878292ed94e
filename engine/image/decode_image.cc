#include "engine/image/decode_image.h"

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/image/exif.h"
#include "engine/image/jpeg_codec.h"
#include "engine/image/orientation.h"
#include "engine/image/png_codec.h"

namespace enigma::engine {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr std::array<uint8_t, 8> kPngSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::array<uint8_t, 3> kJpegSignature = {0xFF, 0xD8, 0xFF};
constexpr size_t kPngHeaderBytes = 8 + 8 + 13 + 4;  // signature; length and name, body and checksum of IHDR

bool BeginsWith(Bytes file, Bytes signature) {
  return file.size() >= signature.size() && std::equal(signature.begin(), signature.end(), file.begin());
}

std::optional<ImageFormat> FormatOf(Bytes file) {
  if (BeginsWith(file, kPngSignature)) return ImageFormat::kPng;
  if (BeginsWith(file, kJpegSignature)) return ImageFormat::kJpeg;
  return std::nullopt;
}

absl::Status Damaged(ImageFormat format, const char* complaint) {
  return absl::InvalidArgumentError(absl::StrCat("the ", ToAbsl(NameOf(format)), " is damaged: ", complaint));
}

uint32_t BigEndian32(Bytes bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]};
}

absl::StatusOr<ImageHeader> ReadPngHeader(Bytes file) {
  constexpr std::array<uint8_t, 8> kIhdr = {0, 0, 0, 13, 'I', 'H', 'D', 'R'};
  if (file.size() < kPngHeaderBytes) return Damaged(ImageFormat::kPng, "it ends within its header");
  if (!BeginsWith(file.subspan(8), kIhdr)) return Damaged(ImageFormat::kPng, "it does not begin with a header");
  const uint32_t width = BigEndian32(file.subspan(16)), height = BigEndian32(file.subspan(20));
  // Deflate makes of a byte 1,032 at most, and a pixel has at least one bit.
  constexpr uint64_t kPixelsPerByte = 1032 * 8;
  return ImageHeader{ImageFormat::kPng, width, height, uint64_t{width} * height / kPixelsPerByte, false};
}

absl::StatusOr<ImageHeader> ReadJpegHeader(Bytes file) {
  JpegReading reading = {};
  reading.bytes = file.data();
  reading.size = file.size();
  if (!ReadJpegSize(&reading)) return Damaged(ImageFormat::kJpeg, reading.complaint);
  return ImageHeader{ImageFormat::kJpeg, reading.width, reading.height, reading.bytes_min, reading.several_scans};
}

absl::Status CheckSize(const ImageHeader& header, const ImageLimits& limits) {
  const uint64_t pixels = uint64_t{header.width} * header.height;
  if (pixels == 0) return Damaged(header.format, "it has no pixels");
  if (header.width <= limits.side_max && header.height <= limits.side_max && pixels <= limits.pixels_max) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("the image has ", header.width, " x ", header.height,
                                                 " pixels; at most ", limits.side_max, " on a side and ",
                                                 limits.pixels_max, " altogether are taken: make it smaller"));
}

absl::Status CheckRest(ImageFormat format, Bytes rest) {
  if (std::all_of(rest.begin(), rest.end(), [](uint8_t byte) { return byte == 0; })) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(rest.size(), " bytes that are no picture follow the end of the ",
                                                 ToAbsl(NameOf(format)), "; send the picture alone"));
}

// What is transparent lies on white. [pixels][4] becomes [pixels][3] in the same place.
void DropAlpha(std::vector<uint8_t>& pixels) {
  const size_t count = pixels.size() / 4;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t alpha = pixels[4 * i + 3];
    for (size_t c = 0; c < 3; ++c) {
      pixels[3 * i + c] = static_cast<uint8_t>((pixels[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  pixels.resize(3 * count);
  pixels.shrink_to_fit();
}

absl::StatusOr<Image> DecodePng(Bytes file, const ImageHeader& header) {
  std::vector<uint8_t> pixels(size_t{4} * header.width * header.height);
  PngReading reading = {};
  reading.bytes = file.data();
  reading.size = file.size();
  reading.width = header.width;
  reading.height = header.height;
  reading.rgba = pixels.data();
  if (!ReadPngPixels(&reading)) return Damaged(ImageFormat::kPng, reading.complaint);
  ENIGMA_RETURN_IF_ERROR(CheckRest(ImageFormat::kPng, file.subspan(reading.at)));
  DropAlpha(pixels);
  const auto orientation = static_cast<Orientation>(reading.orientation);
  return Upright({header.width, header.height, std::move(pixels)}, orientation);
}

absl::StatusOr<Image> DecodeJpeg(Bytes file, const ImageHeader& header) {
  Image image = Image::Blank(header.width, header.height);
  JpegReading reading = {};
  reading.bytes = file.data();
  reading.size = file.size();
  reading.width = header.width;
  reading.height = header.height;
  reading.rgb = image.rgb.data();
  if (!ReadJpegPixels(&reading)) return Damaged(ImageFormat::kJpeg, reading.complaint);
  ENIGMA_RETURN_IF_ERROR(CheckRest(ImageFormat::kJpeg, file.last(reading.rest)));
  return Upright(std::move(image), static_cast<Orientation>(reading.orientation));
}

}  // namespace

std::string_view NameOf(ImageFormat format) { return format == ImageFormat::kJpeg ? "JPEG" : "PNG"; }

absl::StatusOr<ImageHeader> ReadImageHeader(Bytes file, const ImageLimits& limits) {
  if (file.size() > limits.bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("the image has ", file.size(), " bytes; at most ", limits.bytes_max, " are taken"));
  }
  const auto format = FormatOf(file);
  if (!format) return absl::InvalidArgumentError("the image is neither a JPEG nor a PNG by its content");
  ENIGMA_ASSIGN_OR_RETURN(const ImageHeader header,
                          *format == ImageFormat::kPng ? ReadPngHeader(file) : ReadJpegHeader(file));
  ENIGMA_RETURN_IF_ERROR(CheckSize(header, limits));
  return header;
}

uint64_t DecodingBytesMost(const ImageHeader& header) {
  return uint64_t{header.width} * header.height * (header.several_scans ? 11 : 7);
}

absl::StatusOr<Image> DecodeImage(Bytes file, const ImageLimits& limits) {
  ENIGMA_ASSIGN_OR_RETURN(const ImageHeader header, ReadImageHeader(file, limits));
  // A file of a few bytes may promise millions of pixels; they would be missed only after memory was taken for them.
  if (file.size() < header.bytes_min) return Damaged(header.format, "it is cut short");
  try {
    return header.format == ImageFormat::kPng ? DecodePng(file, header) : DecodeJpeg(file, header);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the system refused memory for an image of ", header.width, " x ", header.height, " pixels"));
  }
}

}  // namespace enigma::engine
