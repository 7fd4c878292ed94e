#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "engine/image/image.h"

namespace enigma::cli {

// A JPEG or PNG file, or standard input for "-". Errors name the path.
absl::StatusOr<engine::Image> ReadImage(const std::string& path);

}  // namespace enigma::cli
