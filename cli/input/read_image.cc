#include "cli/input/read_image.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/input/read_text.h"
#include "engine/image/decode_image.h"

namespace enigma::cli {

absl::StatusOr<engine::Image> ReadImage(const std::string& path) {
  const engine::ImageLimits limits;
  ENIGMA_ASSIGN_OR_RETURN(const std::string file, ReadText(path, limits.bytes_max));
  auto image = engine::DecodeImage({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, limits);
  if (image.ok()) return image;
  return absl::Status(image.status().code(), absl::StrCat(path, ": ", image.status().message()));
}

}  // namespace enigma::cli
