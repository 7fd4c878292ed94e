#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace enigma::engine::jinja {

// The text between the quotes of a Python string literal, its escapes replaced. An escape that Python does not know
// stays as it is written. Fails for \x, \u and \U without their digits.
absl::StatusOr<std::string> Unescape(std::string_view quoted);

}  // namespace enigma::engine::jinja
