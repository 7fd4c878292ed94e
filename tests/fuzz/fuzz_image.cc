// An image file from outside: what is accepted has the pixels that its header promises, and can be fitted and encoded.

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "engine/image/decode_image.h"
#include "engine/image/encode_png.h"
#include "engine/image/exif.h"
#include "engine/image/model_input.h"

namespace {

using namespace enigma::engine;

// Most changes to a PNG end at a checksum; with right ones they come to what lies behind.
std::vector<uint8_t> WithRightChecksums(const uint8_t* data, size_t size) {
  std::vector<uint8_t> file(data, data + size);
  for (size_t at = 8; at + 12 <= size;) {
    const size_t length =
        size_t{file[at]} << 24 | size_t{file[at + 1]} << 16 | size_t{file[at + 2]} << 8 | file[at + 3];
    if (length > size - at - 12) break;
    const auto sum = static_cast<uint32_t>(crc32(0, file.data() + at + 4, static_cast<uInt>(length + 4)));
    at += 8 + length;
    for (int shift = 24; shift >= 0; shift -= 8) file[at++] = static_cast<uint8_t>(sum >> shift);
  }
  return file;
}

void Decode(const uint8_t* data, size_t size) {
  const ImageLimits limits = {.bytes_max = 1 << 20, .side_max = 512, .pixels_max = 65536};
  const auto header = ReadImageHeader({data, size}, limits);
  const auto image = DecodeImage({data, size}, limits);
  if (!header.ok() && image.ok()) std::abort();
  if (!image.ok()) return;
  const auto [shorter, longer] = std::minmax(image->width, image->height);
  if (shorter != std::min(header->width, header->height) || longer != std::max(header->width, header->height)) {
    std::abort();
  }
  if (image->rgb.size() != size_t{3} * image->width * image->height) std::abort();
  if (ToModelInput(FitSquare(*image, 16, {}), {}).size() != 3 * 16 * 16) std::abort();
  const auto png = EncodePng(*image);
  if (!png.ok()) std::abort();
  const auto again = DecodeImage(*png, {});
  if (!again.ok() || again->rgb != image->rgb) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Decode(data, size);
  const auto orientation = static_cast<int>(ExifOrientation(data, size));
  if (orientation < 1 || orientation > 8) std::abort();
  if (size < 8 || data[0] != 0x89) return 0;
  const std::vector<uint8_t> right = WithRightChecksums(data, size);
  Decode(right.data(), right.size());
  return 0;
}
