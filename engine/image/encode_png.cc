#include "engine/image/encode_png.h"

#include <cstdlib>
#include <memory>

#include <absl/strings/str_cat.h>

#include "engine/image/png_codec.h"

namespace enigma::engine {

absl::StatusOr<std::vector<uint8_t>> EncodePng(const Image& image) {
  PngWriting writing = {};
  writing.rgb = image.rgb.data();
  writing.width = image.width;
  writing.height = image.height;
  const bool written = WritePng(&writing);
  const std::unique_ptr<uint8_t, decltype(&std::free)> owner(writing.bytes, &std::free);
  if (!written) return absl::InternalError(absl::StrCat("the picture cannot be written: ", writing.complaint));
  return std::vector<uint8_t>(writing.bytes, writing.bytes + writing.size);
}

}  // namespace enigma::engine
