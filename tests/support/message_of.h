#pragma once

#include <string>

#include <absl/status/status.h>

#include "base/text.h"

namespace enigma::testing {

// What a status says, as a string that matchers take.
inline std::string MessageOf(const absl::Status& status) { return ToString(status.message()); }

}  // namespace enigma::testing
