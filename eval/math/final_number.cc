#include "eval/math/final_number.h"

#include <algorithm>

namespace enigma::eval {
namespace {

constexpr std::string_view kMinusSign = "\xE2\x88\x92";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWord(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ')'; }

// Digits from `at` on, with their separators left out: a comma counts where three digits and no fourth follow.
std::string WholePart(std::string_view text, size_t& at) {
  std::string digits;
  while (at < text.size()) {
    const auto digit_at = [&](size_t i) { return i < text.size() && IsDigit(text[i]); };
    if (IsDigit(text[at])) {
      digits += text[at++];
    } else if (text[at] == ',' && digit_at(at + 1) && digit_at(at + 2) && digit_at(at + 3) && !digit_at(at + 4)) {
      ++at;
    } else {
      break;
    }
  }
  return digits;
}

std::string Plain(bool negative, std::string whole, std::string fraction) {
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  fraction.erase(fraction.find_last_not_of('0') + 1);  // npos + 1 is 0
  if (whole.empty()) whole = "0";
  if (whole == "0" && fraction.empty()) return "0";
  return (negative ? "-" : "") + whole + (fraction.empty() ? "" : "." + fraction);
}

bool IsNegative(std::string_view before) {
  const size_t sign = before.ends_with('-') ? 1 : before.ends_with(kMinusSign) ? kMinusSign.size() : 0;
  return sign != 0 && (before.size() == sign || !IsWord(before[before.size() - sign - 1]));
}

}  // namespace

std::optional<std::string> FinalNumber(std::string_view text) {
  std::optional<std::string> last;
  for (size_t at = 0; at < text.size();) {
    if (!IsDigit(text[at])) {
      ++at;
      continue;
    }
    const bool negative = IsNegative(text.substr(0, at));
    std::string whole = WholePart(text, at);
    std::string fraction;
    if (at + 1 < text.size() && text[at] == '.' && IsDigit(text[at + 1])) {
      for (++at; at < text.size() && IsDigit(text[at]); ++at) fraction += text[at];
    }
    last = Plain(negative, std::move(whole), std::move(fraction));
  }
  return last;
}

}  // namespace enigma::eval
