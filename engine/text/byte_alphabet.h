#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace enigma::engine {

// Byte-level BPE vocabularies write every byte as one printable character: the 188 printable bytes of Latin-1 stand for
// themselves, the other 68 are U+0100, U+0101, ... in order of their value. So a space is written U+0120.
// Source: bytes_to_unicode() of https://github.com/openai/gpt-2/blob/master/src/encoder.py

// The character that stands for `byte`, as UTF-8.
std::string_view ByteToAlphabet(uint8_t byte);

// The bytes that `text` stands for; nothing if a character of it is not of the alphabet.
std::optional<std::string> AlphabetToBytes(std::string_view text);

}  // namespace enigma::engine
