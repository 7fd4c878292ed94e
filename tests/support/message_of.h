#pragma once

#include <string>

#include <absl/status/status.h>

namespace enigma::testing {

// What a status says, as a string that matchers take.
inline std::string MessageOf(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

}  // namespace enigma::testing
