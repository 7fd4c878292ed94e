// An image file from outside: what is accepted has the pixels that its header promises, and can be fitted and encoded.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "engine/image/decode_image.h"
#include "engine/image/encode_png.h"
#include "engine/image/model_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace enigma::engine;
  const ImageLimits limits = {.bytes_max = 1 << 20, .side_max = 512, .pixels_max = 65536};
  const auto header = ReadImageHeader({data, size}, limits);
  const auto image = DecodeImage({data, size}, limits);
  if (!header.ok() && image.ok()) std::abort();
  if (!image.ok()) return 0;
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
  return 0;
}
