#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <absl/time/time.h>

namespace enigma::cli {

// "45s", "90m", "12h", "30d", "4w": a whole number and one unit, more than nothing and at most ten years of 365 days.
std::optional<absl::Duration> ReadDuration(std::string_view text);

// What is wrong with a text that ReadDuration refuses; else nothing.
std::string DurationComplaint(const std::string& text);

}  // namespace enigma::cli
