#include "engine/text/jinja/characters.h"

#include <locale.h>
#include <wctype.h>

#include <algorithm>

#include "base/utf8.h"

namespace enigma::engine::jinja {

namespace {

// glibc's tables of Unicode, whatever the locale of the process. Null (and then ASCII only) where it lacks C.UTF-8.
locale_t UnicodeLocale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

template <typename Ascii, typename Unicode>
bool Classify(char32_t code, Ascii ascii, Unicode unicode) {
  if (code < 0x80) return ascii(code);
  const locale_t locale = UnicodeLocale();
  return locale != nullptr && unicode(static_cast<wint_t>(code), locale) != 0;
}

bool AsciiUpper(char32_t c) { return c >= 'A' && c <= 'Z'; }
bool AsciiLower(char32_t c) { return c >= 'a' && c <= 'z'; }

char32_t UpperOf(char32_t code) {
  if (code < 0x80) return AsciiLower(code) ? code - 32 : code;
  const locale_t locale = UnicodeLocale();
  return locale == nullptr ? code : static_cast<char32_t>(towupper_l(static_cast<wint_t>(code), locale));
}

char32_t LowerOf(char32_t code) {
  if (code < 0x80) return AsciiUpper(code) ? code + 32 : code;
  const locale_t locale = UnicodeLocale();
  return locale == nullptr ? code : static_cast<char32_t>(towlower_l(static_cast<wint_t>(code), locale));
}

// The few letters in use whose upper case is longer (Unicode SpecialCasing.txt).
std::string_view LongUpper(char32_t code) {
  switch (code) {
    case 0xDF:
      return "SS";
    case 0xFB00:
      return "FF";
    case 0xFB01:
      return "FI";
    case 0xFB02:
      return "FL";
    default:
      return {};
  }
}

void AppendUpper(char32_t code, std::string_view bytes, std::string& out) {
  const char32_t upper = UpperOf(code);
  if (upper != code) return AppendUtf8(upper, out);
  const std::string_view expanded = LongUpper(code);
  out += expanded.empty() ? bytes : expanded;
}

void AppendLower(char32_t code, std::string_view bytes, std::string& out) {
  const char32_t lower = LowerOf(code);
  if (lower != code) return AppendUtf8(lower, out);
  out += bytes;
}

// Calls visit(code, bytes) for each character; code is U+FFFD for bytes that are none.
template <typename Visit>
void ForEachCharacter(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    visit(character.code, text.substr(0, character.length));
    text.remove_prefix(character.length);
  }
}

}  // namespace

Character FirstCharacter(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  const Utf8Step step = ReadUtf8(text);
  if (step.kind != Utf8Step::Kind::kCharacter) return {0xFFFD, step.length};
  char32_t code = byte(0) & (0xFF >> (step.length + 1));
  for (size_t i = 1; i < step.length; ++i) code = (code << 6) | (byte(i) & 0x3F);
  return {code, step.length};
}

size_t CountCharacters(std::string_view text) {
  size_t count = 0;
  ForEachCharacter(text, [&](char32_t, std::string_view) { ++count; });
  return count;
}

std::vector<size_t> CharacterOffsets(std::string_view text) {
  std::vector<size_t> offsets{0};
  ForEachCharacter(text, [&](char32_t, std::string_view bytes) { offsets.push_back(offsets.back() + bytes.size()); });
  return offsets;
}

void AppendUtf8(char32_t code, std::string& out) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | (code >> 6));
  } else {
    if (code < 0x10000) {
      put(0xE0 | (code >> 12));
    } else {
      put(0xF0 | (code >> 18));
      put(0x80 | ((code >> 12) & 0x3F));
    }
    put(0x80 | ((code >> 6) & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

bool IsSpace(char32_t code) {
  if (code < 0x80) return (code >= 9 && code <= 13) || (code >= 0x1C && code <= 0x20);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool IsUpper(char32_t code) { return Classify(code, AsciiUpper, iswupper_l); }
bool IsLower(char32_t code) { return Classify(code, AsciiLower, iswlower_l); }
bool IsAlpha(char32_t code) {
  return Classify(
      code, [](char32_t c) { return AsciiUpper(c) || AsciiLower(c); }, iswalpha_l);
}
bool IsDigit(char32_t code) { return code >= '0' && code <= '9'; }
bool IsPrintable(char32_t code) {
  if (code != ' ' && IsSpace(code)) return false;
  return Classify(
      code, [](char32_t c) { return c >= 0x20 && c < 0x7F; }, iswprint_l);
}

std::string ToUpper(std::string_view text) {
  std::string out;
  ForEachCharacter(text, [&](char32_t code, std::string_view bytes) { AppendUpper(code, bytes, out); });
  return out;
}

std::string ToLower(std::string_view text) {
  std::string out;
  ForEachCharacter(text, [&](char32_t code, std::string_view bytes) { AppendLower(code, bytes, out); });
  return out;
}

std::string Capitalize(std::string_view text) {
  std::string out;
  bool first = true;
  ForEachCharacter(text, [&](char32_t code, std::string_view bytes) {
    first ? AppendUpper(code, bytes, out) : AppendLower(code, bytes, out);
    first = false;
  });
  return out;
}

std::string TitleWords(std::string_view text) {
  std::string out;
  bool inside = false;
  ForEachCharacter(text, [&](char32_t code, std::string_view bytes) {
    inside ? AppendLower(code, bytes, out) : AppendUpper(code, bytes, out);
    inside = IsUpper(code) || IsLower(code);
  });
  return out;
}

std::string SwapCase(std::string_view text) {
  std::string out;
  ForEachCharacter(text, [&](char32_t code, std::string_view bytes) {
    IsUpper(code) ? AppendLower(code, bytes, out) : AppendUpper(code, bytes, out);
  });
  return out;
}

namespace {

template <typename Drop>
std::string_view StripWhere(std::string_view text, Side side, Drop drop) {
  if (side != Side::kRight) {
    while (!text.empty()) {
      const Character character = FirstCharacter(text);
      if (!drop(character.code, text.substr(0, character.length))) break;
      text.remove_prefix(character.length);
    }
  }
  if (side != Side::kLeft) {
    while (!text.empty()) {
      size_t start = text.size() - 1;
      while (start > 0 && text.size() - start < 4 && (text[start] & 0xC0) == 0x80) --start;
      const Character character = FirstCharacter(text.substr(start));
      if (start + character.length != text.size() || !drop(character.code, text.substr(start))) break;
      text.remove_suffix(text.size() - start);
    }
  }
  return text;
}

}  // namespace

std::string_view Strip(std::string_view text, Side side) {
  return StripWhere(text, side, [](char32_t code, std::string_view) { return IsSpace(code); });
}

std::string_view StripSet(std::string_view text, std::string_view set, Side side) {
  std::vector<char32_t> codes;
  ForEachCharacter(set, [&](char32_t code, std::string_view) { codes.push_back(code); });
  std::sort(codes.begin(), codes.end());
  return StripWhere(text, side, [&](char32_t code, std::string_view) {
    return code != 0xFFFD && std::binary_search(codes.begin(), codes.end(), code);
  });
}

}  // namespace enigma::engine::jinja
