#pragma once

#include <string_view>

namespace enigma::engine {

// The pattern that stands for a `format` of JSON Schema; empty where the format is not supported. Where the format's
// own definition is no regular language (email, hostname, uri, ipv6), the pattern accepts a subset of it.
std::string_view FormatPattern(std::string_view format);

// For error messages.
inline constexpr std::string_view kSupportedFormats =
    "date, time, date-time, duration, email, hostname, ipv4, ipv6, uuid, uri";

}  // namespace enigma::engine
