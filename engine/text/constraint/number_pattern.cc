#include "engine/text/constraint/number_pattern.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/text.h"

namespace enigma::engine {
namespace {

constexpr int kExponentMax = 40;
constexpr int64_t kIntegerMax = 999'999'999'999'999'999;  // 18 digits
constexpr int64_t kWholeMax = 999'999'999'999'999;        // 15 digits
constexpr char kAnyDigits[] = "[0-9]{0,16}";

int CompareDigits(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

std::string DigitRange(char low, char high) {
  if (low > high) return "";
  return low == high ? std::string(1, low) : absl::StrCat("[", std::string(1, low), "-", std::string(1, high), "]");
}

std::string Digits(size_t count) { return count == 0 ? "" : absl::StrCat("[0-9]{", count, "}"); }

// Joins alternatives; nothing where there are none.
std::string Any(const std::vector<std::string>& alternatives) {
  return alternatives.empty() ? "" : absl::StrCat("(?:", absl::StrJoin(alternatives, "|"), ")");
}

// Strings of as many digits as `bound`, not below or not above it.
std::string SameLengthFrom(std::string_view bound, bool at_least) {
  if (bound.empty()) return "";
  std::vector<std::string> alternatives = {
      absl::StrCat(std::string(1, bound[0]), SameLengthFrom(bound.substr(1), at_least))};
  const std::string others =
      at_least ? DigitRange(static_cast<char>(bound[0] + 1), '9') : DigitRange('0', static_cast<char>(bound[0] - 1));
  if (!others.empty()) alternatives.push_back(others + Digits(bound.size() - 1));
  return Any(alternatives);
}

// Strings of digits from `low` to `high`, which have the same length.
std::string SameLengthBetween(std::string_view low, std::string_view high) {
  if (low.empty()) return "";
  if (low[0] == high[0]) return absl::StrCat(std::string(1, low[0]), SameLengthBetween(low.substr(1), high.substr(1)));
  std::vector<std::string> alternatives = {
      absl::StrCat(std::string(1, low[0]), SameLengthFrom(low.substr(1), /*at_least=*/true)),
      absl::StrCat(std::string(1, high[0]), SameLengthFrom(high.substr(1), /*at_least=*/false))};
  const std::string between = DigitRange(static_cast<char>(low[0] + 1), static_cast<char>(high[0] - 1));
  if (!between.empty()) alternatives.push_back(between + Digits(low.size() - 1));
  return Any(alternatives);
}

// Whole numbers from low to high, 0 <= low; nothing where low > high.
std::string WholeBetween(int64_t low, int64_t high) {
  std::vector<std::string> alternatives;
  while (low <= high) {
    const std::string first = std::to_string(low);
    const int64_t last = std::min(high, static_cast<int64_t>(std::stoll(std::string(first.size(), '9'))));
    alternatives.push_back(SameLengthBetween(first, std::to_string(last)));
    low = last + 1;
  }
  return Any(alternatives);
}

int64_t WholeOf(const Decimal& value, int64_t max) {
  if (value.whole.empty()) return 0;
  return value.whole.size() > 18 ? max : std::min(max, static_cast<int64_t>(std::stoll(value.whole)));
}

// Digits behind the point: a pattern for those that are there, and whether there may be none (which stands for zero).
struct Fraction {
  bool absent_ok = false;
  std::string digits;  // of at least one digit; "" where there are none
};

Fraction AnyFraction() { return {true, absl::StrCat("[0-9]", kAnyDigits)}; }

std::string Prefixed(char digit, const Fraction& rest) {
  if (rest.digits.empty()) return std::string(1, digit);
  return absl::StrCat(std::string(1, digit), "(?:", rest.digits, ")", rest.absent_ok ? "?" : "");
}

bool Possible(const Fraction& fraction) { return fraction.absent_ok || !fraction.digits.empty(); }

Fraction FractionAtLeast(std::string_view bound, bool exclusive) {
  if (bound.empty()) {
    if (!exclusive) return AnyFraction();
    return {false, absl::StrCat("0{0,16}[1-9]", kAnyDigits)};
  }
  std::vector<std::string> alternatives;
  if (bound[0] < '9') alternatives.push_back(DigitRange(static_cast<char>(bound[0] + 1), '9') + kAnyDigits);
  alternatives.push_back(Prefixed(bound[0], FractionAtLeast(bound.substr(1), exclusive)));
  return {false, Any(alternatives)};
}

Fraction FractionAtMost(std::string_view bound, bool exclusive) {
  if (bound.empty()) return exclusive ? Fraction{} : Fraction{true, "0{1,16}"};
  std::vector<std::string> alternatives;
  if (bound[0] > '0') alternatives.push_back(DigitRange('0', static_cast<char>(bound[0] - 1)) + kAnyDigits);
  const Fraction rest = FractionAtMost(bound.substr(1), exclusive);
  if (Possible(rest)) alternatives.push_back(Prefixed(bound[0], rest));
  return {true, Any(alternatives)};  // the bound is above zero
}

Fraction FractionBetween(std::string_view low, bool low_exclusive, std::string_view high, bool high_exclusive) {
  if (low.empty() && high.empty()) {
    return low_exclusive || high_exclusive ? Fraction{} : Fraction{true, "0{1,16}"};
  }
  const char first = low.empty() ? '0' : low[0];
  const char last = high.empty() ? '0' : high[0];
  const std::string_view low_rest = low.empty() ? low : low.substr(1);
  const std::string_view high_rest = high.empty() ? high : high.substr(1);
  Fraction result;
  result.absent_ok = low.empty() && !low_exclusive;  // high is above zero here
  std::vector<std::string> alternatives;
  if (first > last) return {};
  if (first == last) {
    const Fraction rest = FractionBetween(low_rest, low_exclusive, high_rest, high_exclusive);
    if (Possible(rest)) alternatives.push_back(Prefixed(first, rest));
  } else {
    alternatives.push_back(Prefixed(first, FractionAtLeast(low_rest, low_exclusive)));
    const Fraction rest = FractionAtMost(high_rest, high_exclusive);
    if (Possible(rest)) alternatives.push_back(Prefixed(last, rest));
    const std::string between = DigitRange(static_cast<char>(first + 1), static_cast<char>(last - 1));
    if (!between.empty()) alternatives.push_back(between + kAnyDigits);
  }
  result.digits = Any(alternatives);
  return result;
}

void AddWithFraction(const std::string& whole, const Fraction& fraction, std::vector<std::string>& alternatives) {
  if (whole.empty() || !Possible(fraction)) return;
  if (fraction.digits.empty()) {
    alternatives.push_back(whole);
  } else {
    alternatives.push_back(absl::StrCat(whole, "(?:\\.", fraction.digits, ")", fraction.absent_ok ? "?" : ""));
  }
}

// Numbers that are not negative, between bounds that are not negative (low: always given).
std::string PositivePattern(const NumberBounds::Bound& low, const std::optional<NumberBounds::Bound>& high,
                            bool integers_only) {
  if (integers_only) {
    const bool above = !low.value.fraction.empty() || low.exclusive;
    if (low.value.whole.size() > 18) return "";
    const int64_t first = WholeOf(low.value, kIntegerMax) + (above ? 1 : 0);
    int64_t last = kIntegerMax;
    if (high) {
      last = WholeOf(high->value, kIntegerMax);
      if (high->exclusive && high->value.fraction.empty() && high->value.whole.size() <= 18) --last;
    }
    return WholeBetween(first, last);
  }
  if (low.value.whole.size() > 15) return "";
  const int64_t first = WholeOf(low.value, kWholeMax);
  const bool open = !high || high->value.whole.size() > 15;
  const int64_t last = open ? kWholeMax : WholeOf(high->value, kWholeMax);
  std::vector<std::string> alternatives;
  if (!open && first == last) {
    AddWithFraction(WholeBetween(first, first),
                    FractionBetween(low.value.fraction, low.exclusive, high->value.fraction, high->exclusive),
                    alternatives);
    return Any(alternatives);
  }
  if (first > last) return "";
  AddWithFraction(WholeBetween(first, first), FractionAtLeast(low.value.fraction, low.exclusive), alternatives);
  AddWithFraction(WholeBetween(first + 1, open ? last : last - 1), AnyFraction(), alternatives);
  if (!open) {
    AddWithFraction(WholeBetween(last, last), FractionAtMost(high->value.fraction, high->exclusive), alternatives);
  }
  return Any(alternatives);
}

NumberBounds::Bound Mirrored(NumberBounds::Bound bound) {
  bound.value.negative = false;
  return bound;
}

}  // namespace

absl::StatusOr<Decimal> Decimal::Parse(std::string_view text) {
  Decimal value;
  const std::string_view original = text;
  const auto too_long = [original] {
    return absl::InvalidArgumentError(
        absl::StrCat("the number ", ToAbsl(original.substr(0, 40)), " has more than ", kExponentMax, " digits"));
  };
  if (!text.empty() && text.front() == '-') {
    value.negative = true;
    text.remove_prefix(1);
  }
  int64_t exponent = 0;
  if (const size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view digits = text.substr(e + 1);
    const bool minus = !digits.empty() && digits.front() == '-';
    if (!digits.empty() && (digits.front() == '-' || digits.front() == '+')) digits.remove_prefix(1);
    for (const char c : digits) exponent = std::min<int64_t>(exponent * 10 + (c - '0'), 1'000'000);
    if (minus) exponent = -exponent;
    text = text.substr(0, e);
  }
  const size_t point = text.find('.');
  value.whole = std::string(text.substr(0, point));
  if (point != std::string_view::npos) value.fraction = std::string(text.substr(point + 1));
  const bool zero = (value.whole + value.fraction).find_first_not_of('0') == std::string::npos;
  if (zero) return Decimal{};
  if (exponent > kExponentMax || exponent < -kExponentMax) return too_long();
  for (; exponent > 0; --exponent) {
    value.whole += value.fraction.empty() ? '0' : value.fraction.front();
    if (!value.fraction.empty()) value.fraction.erase(0, 1);
  }
  for (; exponent < 0; ++exponent) {
    value.fraction.insert(value.fraction.begin(), value.whole.empty() ? '0' : value.whole.back());
    if (!value.whole.empty()) value.whole.pop_back();
  }
  value.whole.erase(0, std::min(value.whole.find_first_not_of('0'), value.whole.size()));
  value.fraction.resize(value.fraction.find_last_not_of('0') + 1);
  if (value.whole.size() + value.fraction.size() > 2 * kExponentMax) return too_long();
  return value;
}

int Decimal::Compare(const Decimal& other) const {
  if (negative != other.negative) return negative ? -1 : 1;
  int order = CompareDigits(whole, other.whole);
  if (order == 0) order = fraction.compare(other.fraction);
  return negative ? -order : order;
}

void NumberBounds::RaiseLow(Bound bound) {
  const int order = low ? bound.value.Compare(low->value) : 1;
  if (order > 0) {
    low = std::move(bound);
  } else if (order == 0) {
    low->exclusive = low->exclusive || bound.exclusive;
  }
}

void NumberBounds::LowerHigh(Bound bound) {
  const int order = high ? bound.value.Compare(high->value) : -1;
  if (order < 0) {
    high = std::move(bound);
  } else if (order == 0) {
    high->exclusive = high->exclusive || bound.exclusive;
  }
}

bool NumberBounds::Contains(const Decimal& value) const {
  const int above = low ? value.Compare(low->value) : 1;
  const int below = high ? value.Compare(high->value) : -1;
  return (above > 0 || (above == 0 && !low->exclusive)) && (below < 0 || (below == 0 && !high->exclusive));
}

std::string NumberPattern(const NumberBounds& bounds, bool integers_only) {
  if (!bounds.low && !bounds.high) {
    return integers_only ? "^-?(?:0|[1-9][0-9]{0,17})$"
                         : "^-?(?:0|[1-9][0-9]{0,14})(?:\\.[0-9]{1,16})?(?:[eE][+-]?[0-9]{1,2})?$";
  }
  if (bounds.low && bounds.high && bounds.low->value.Compare(bounds.high->value) > 0) return "";
  std::vector<std::string> alternatives;
  const NumberBounds::Bound zero;
  if (!bounds.high || !bounds.high->value.negative) {
    const bool low_positive = bounds.low && !bounds.low->value.negative;
    const std::string pattern = PositivePattern(low_positive ? *bounds.low : zero, bounds.high, integers_only);
    if (!pattern.empty()) alternatives.push_back(pattern);
  }
  if (!bounds.low || bounds.low->value.negative) {
    // The same on the other side of zero, which itself is not written with a sign.
    const bool high_negative = bounds.high && bounds.high->value.negative;
    const NumberBounds::Bound nearest =
        high_negative ? Mirrored(*bounds.high) : NumberBounds::Bound{.value = {}, .exclusive = true};
    const std::optional<NumberBounds::Bound> farthest =
        bounds.low ? std::optional(Mirrored(*bounds.low)) : std::nullopt;
    const std::string pattern = PositivePattern(nearest, farthest, integers_only);
    if (!pattern.empty()) alternatives.push_back("-" + pattern);
  }
  return alternatives.empty() ? "" : absl::StrCat("^", Any(alternatives), "$");
}

}  // namespace enigma::engine
