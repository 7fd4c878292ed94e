#pragma once

#include <cstddef>
#include <string_view>

namespace enigma {

// One step of reading UTF-8 from untrusted bytes.
struct Utf8Step {
  enum class Kind {
    kCharacter,   // `length` bytes form one character
    kInvalid,     // `length` bytes can begin no character: one U+FFFD stands for all of them
    kUnfinished,  // all remaining bytes are the beginning of a character whose end is missing
  };
  Kind kind;
  size_t length;  // at least 1
};

// Reads the front of `bytes`, which must not be empty. Invalid runs are cut as the WHATWG Encoding Standard does
// (maximal subparts, https://encoding.spec.whatwg.org/#utf-8-decoder): surrogates, overlong forms and code points above
// U+10FFFF are invalid.
Utf8Step ReadUtf8(std::string_view bytes);

// The length of the longest prefix of `bytes` that is valid UTF-8.
size_t ValidUtf8Prefix(std::string_view bytes);

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace enigma
