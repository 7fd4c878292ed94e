#pragma once

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace enigma::cli {

// What a numeric flag takes: decimal digits with nothing around them, within bounds. A sign on a count, a fraction,
// hex, "nan" and "inf" are refused rather than read as something else.
struct NumberRule {
  bool whole = true;
  long double low = 0;  // long double holds every uint64_t
  long double high = 0;
  bool above = false;  // `low` itself is not allowed

  template <typename Value>
  static NumberRule For() {
    using Limits = std::numeric_limits<Value>;
    return {std::is_integral_v<Value>, static_cast<long double>(Limits::lowest()),
            static_cast<long double>(Limits::max()), false};
  }

  // "a whole number from 1 to 64", "a number above 0 and at most 1".
  std::string Allowed() const;
  // Empty, or what is wrong with `text`.
  template <typename Value>
  std::string Complaint(std::string_view text) const {
    if (Read<Value>(text)) return "";
    return "\"" + std::string(text) + "\" is not " + Allowed();
  }
  // Nothing unless `text` is allowed.
  template <typename Value>
  std::optional<Value> Read(std::string_view text) const {
    Value value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if constexpr (std::is_floating_point_v<Value>) {
      if (!std::isfinite(value)) return std::nullopt;
    }
    const auto wide = static_cast<long double>(value);
    if (wide < low || wide > high || (above && wide == low)) return std::nullopt;
    return value;
  }
};

}  // namespace enigma::cli
