#pragma once

#include <string>
#include <string_view>

#include <absl/strings/string_view.h>

namespace enigma {

// Debian builds Abseil with a string_view of its own; these two cross the border.
inline absl::string_view ToAbsl(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view ToStd(absl::string_view s) { return {s.data(), s.size()}; }
inline std::string ToString(absl::string_view s) { return std::string(s.data(), s.size()); }

}  // namespace enigma
