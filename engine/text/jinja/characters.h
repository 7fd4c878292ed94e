#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Text by code points, as Python sees it. Bytes that are no UTF-8 count as one character each run (base/utf8.h)
// and are carried through unchanged.
namespace enigma::engine::jinja {

size_t CountCharacters(std::string_view text);
// The byte offset of each character, and the size of the text behind the last.
std::vector<size_t> CharacterOffsets(std::string_view text);
void AppendUtf8(char32_t code, std::string& out);
// The first character of a text that is not empty, and its length in bytes.
struct Character {
  char32_t code;
  size_t length;
};
Character FirstCharacter(std::string_view text);

bool IsSpace(char32_t code);
bool IsUpper(char32_t code);
bool IsLower(char32_t code);
bool IsAlpha(char32_t code);
bool IsDigit(char32_t code);
bool IsPrintable(char32_t code);

std::string ToUpper(std::string_view text);
std::string ToLower(std::string_view text);
std::string Capitalize(std::string_view text);  // the first character upper, the others lower
std::string TitleWords(std::string_view text);  // str.title(): each run of letters
std::string SwapCase(std::string_view text);

enum class Side { kLeft, kRight, kBoth };
// Without the white space, or the characters of `set`, at its ends.
std::string_view Strip(std::string_view text, Side side);
std::string_view StripSet(std::string_view text, std::string_view set, Side side);

}  // namespace enigma::engine::jinja
