#pragma once

#include <string>

#include <absl/status/status.h>

namespace enigma::cli {

// The command line, the environment or the configuration file asks for something that makes no sense: exit status 2.
absl::Status UsageError(std::string message);
bool IsUsageError(const absl::Status& status);

}  // namespace enigma::cli
