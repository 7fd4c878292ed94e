#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/image/image.h"

namespace enigma::engine {

// A PNG file of the picture, 8-bit RGB. Its bytes depend on the versions of libpng and zlib; its pixels do not.
absl::StatusOr<std::vector<uint8_t>> EncodePng(const Image& image);

}  // namespace enigma::engine
