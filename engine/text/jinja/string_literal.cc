#include "engine/text/jinja/string_literal.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/jinja/characters.h"

namespace enigma::engine::jinja {

namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

absl::StatusOr<char32_t> HexCode(std::string_view digits, size_t count, char letter) {
  char32_t code = 0;
  for (size_t i = 0; i < count; ++i) {
    const int digit = i < digits.size() ? HexDigit(digits[i]) : -1;
    if (digit < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("\\", std::string(1, letter), " in a string needs ", count, " hexadecimal digits"));
    }
    code = code * 16 + static_cast<char32_t>(digit);
  }
  if (code > 0x10FFFF) return absl::InvalidArgumentError("\\U in a string is beyond U+10FFFF");
  return code;
}

std::string_view SimpleEscape(char c) {
  switch (c) {
    case '\n':
      return "";
    case '\\':
      return "\\";
    case '\'':
      return "'";
    case '"':
      return "\"";
    case 'a':
      return "\a";
    case 'b':
      return "\b";
    case 'f':
      return "\f";
    case 'n':
      return "\n";
    case 'r':
      return "\r";
    case 't':
      return "\t";
    case 'v':
      return "\v";
    default:
      return {};
  }
}

}  // namespace

absl::StatusOr<std::string> Unescape(std::string_view quoted) {
  std::string out;
  out.reserve(quoted.size());
  for (size_t i = 0; i < quoted.size(); ++i) {
    if (quoted[i] != '\\' || i + 1 == quoted.size()) {
      out += quoted[i];
      continue;
    }
    const char c = quoted[++i];
    if (c == 'x' || c == 'u' || c == 'U') {
      const size_t count = c == 'x' ? 2 : (c == 'u' ? 4 : 8);
      ENIGMA_ASSIGN_OR_RETURN(char32_t code, HexCode(quoted.substr(i + 1), count, c));
      i += count;
      // Two escapes of four digits may be the halves of one character.
      if (code >= 0xD800 && code < 0xDC00 && quoted.substr(i + 1, 2) == "\\u") {
        const auto low = HexCode(quoted.substr(i + 3), 4, 'u');
        if (low.ok() && *low >= 0xDC00 && *low < 0xE000) {
          code = 0x10000 + ((code - 0xD800) << 10) + (*low - 0xDC00);
          i += 6;
        }
      }
      AppendUtf8(code >= 0xD800 && code < 0xE000 ? char32_t{0xFFFD} : code, out);
    } else if (c >= '0' && c <= '7') {
      char32_t code = 0;
      size_t digits = 0;
      for (; digits < 3 && i + digits < quoted.size() && quoted[i + digits] >= '0' && quoted[i + digits] <= '7';
           ++digits) {
        code = code * 8 + static_cast<char32_t>(quoted[i + digits] - '0');
      }
      i += digits - 1;
      AppendUtf8(code, out);
    } else if (const std::string_view simple = SimpleEscape(c); simple.data() != nullptr) {
      out += simple;
    } else {
      out += '\\';
      out += c;
    }
  }
  return out;
}

}  // namespace enigma::engine::jinja
