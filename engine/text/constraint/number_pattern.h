#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace enigma::engine {

// A decimal number of any length, compared exactly.
struct Decimal {
  bool negative = false;
  std::string whole;     // digits without leading zeros; "" is zero
  std::string fraction;  // digits without trailing zeros

  // From a JSON number. InvalidArgument where its exponent asks for more than 40 digits.
  static absl::StatusOr<Decimal> Parse(std::string_view text);
  bool IsZero() const { return whole.empty() && fraction.empty(); }
  // Less than 0, 0 or more than 0, as *this is below, at or above `other`.
  int Compare(const Decimal& other) const;
};

struct NumberBounds {
  struct Bound {
    Decimal value;
    bool exclusive = false;
  };
  std::optional<Bound> low;
  std::optional<Bound> high;

  // Keeps the tighter of the bounds.
  void RaiseLow(Bound bound);
  void LowerHigh(Bound bound);
  bool Contains(const Decimal& value) const;
};

// The JSON numbers within the bounds, as an anchored pattern; empty when there are none. What is generated has bounded
// length, so that no model can write digits for ever: integers have at most 18 digits; other numbers 15 before and 16
// behind the point (beyond the digits of a bound), and exponents, of at most two digits, only where there are no
// bounds.
std::string NumberPattern(const NumberBounds& bounds, bool integers_only);

}  // namespace enigma::engine
