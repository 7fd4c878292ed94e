#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <absl/status/status.h>

namespace enigma::engine {

// Writes beside `path` first, flushes to disk and renames then, so that a file is there whole or not at all. Errors
// name the path.
absl::Status WriteWholeFile(std::span<const uint8_t> bytes, const std::string& path);

}  // namespace enigma::engine
