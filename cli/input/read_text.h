#pragma once

#include <cstddef>
#include <string>

#include <absl/status/statusor.h>

namespace enigma::cli {

// The whole of a file, or of standard input for "-". NOT_FOUND when there is no such file; a folder, a read error and
// more than `bytes_max` are errors too.
absl::StatusOr<std::string> ReadText(const std::string& path, size_t bytes_max = size_t{256} << 20);

}  // namespace enigma::cli
