#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/image/image.h"

namespace enigma::engine {

enum class ImageFormat { kJpeg, kPng };
std::string_view NameOf(ImageFormat format);  // "JPEG"

// Held against what a file says of itself before memory is taken for its pixels, and before any of them is decoded.
struct ImageLimits {
  uint64_t bytes_max = uint64_t{32} << 20;  // of the file
  uint32_t side_max = 16384;                // of the width, and of the height
  uint64_t pixels_max = 40'000'000;
};

struct ImageHeader {
  ImageFormat format = ImageFormat::kPng;
  uint32_t width = 0;  // as stored: an orientation is not applied yet
  uint32_t height = 0;
  uint64_t bytes_min = 0;      // of any whole file that has so many pixels
  bool several_scans = false;  // of a JPEG: progressive, or a scan for each colour
};

// What a file's first bytes and header say. InvalidArgument for what is neither JPEG nor PNG (whatever it is called),
// for a header that is damaged, and for what is beyond the limits. No pixel is decoded.
absl::StatusOr<ImageHeader> ReadImageHeader(std::span<const uint8_t> file, const ImageLimits& limits);

// The most bytes that decoding the pixels takes at once: 7 for each, 11 where a JPEG has several scans. 3 remain.
uint64_t DecodingBytesMost(const ImageHeader& header);

// The picture as 8-bit RGB, upright (the orientation of Exif data is applied; Exif data that are damaged count as
// none). Grey, palettes, 16 bits, interlaced and progressive files are converted; what is transparent lies on white;
// CMYK is converted without a colour profile, and profiles are not applied.
//
// InvalidArgument, with a sentence that says why, for what ReadImageHeader refuses, for a file that is damaged or cut
// short, that holds anything but zeros behind its picture (it may be something else as well), or whose JPEG has more
// scans than any program writes or is arithmetic-coded. ResourceExhausted where the system has no memory for it. The
// same file gives the same pixels on every machine with the same libraries.
absl::StatusOr<Image> DecodeImage(std::span<const uint8_t> file, const ImageLimits& limits = {});

}  // namespace enigma::engine
