#pragma once

#include <optional>
#include <string_view>

#include "proto/inference.pb.h"

namespace enigma::coordinator {

// "low", "normal", "high"; unspecified is "any", as limits of keys read it.
std::string_view PriorityName(enigma::v1::Priority priority);
// Nothing for any other text. Never unspecified.
std::optional<enigma::v1::Priority> ParsePriority(std::string_view name);

}  // namespace enigma::coordinator
