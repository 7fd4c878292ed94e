#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace enigma::cli {

// Whether a command may write `path`, which the flag `flag` ("--out") names. AlreadyExists for a file that is there,
// unless it may go (`replace`: --force was given); a usage error for a device or a folder, which always stays.
absl::Status CheckOutputFile(const std::string& flag, const std::string& path, bool replace);

// The whole of a new file, or none: it is written beside its place and then takes it. Errors name the path.
absl::Status WriteOutputFile(const std::string& path, std::string_view bytes);

}  // namespace enigma::cli
