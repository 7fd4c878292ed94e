#pragma once

#include <functional>
#include <string>

#include <absl/status/statusor.h>

namespace enigma::cli {

// The token in a file, spaces and line ends removed. Waits for the file: in a compose file or a pod the worker may be
// up before the coordinator has written it. Cancelled once `stopped` says so.
absl::StatusOr<std::string> AwaitTokenFile(const std::string& path, const std::function<bool()>& stopped);

// What the file holds now; NOT_FOUND without a file or when it is empty.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);

}  // namespace enigma::cli
