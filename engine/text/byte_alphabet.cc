#include "engine/text/byte_alphabet.h"

#include <array>

namespace enigma::engine {
namespace {

constexpr uint32_t kShiftedFirst = 0x100;
constexpr int kShiftedCount = 68;

struct Alphabet {
  std::array<std::string, 256> text_of_byte;
  std::array<int16_t, kShiftedFirst + kShiftedCount> byte_of_character;  // -1: not of the alphabet

  Alphabet() {
    byte_of_character.fill(-1);
    uint32_t next_shifted = kShiftedFirst;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const uint32_t character = printable ? static_cast<uint32_t>(byte) : next_shifted++;
      byte_of_character[character] = static_cast<int16_t>(byte);
      std::string& text = text_of_byte[byte];
      if (character < 0x80) {
        text = static_cast<char>(character);
      } else {
        text = {static_cast<char>(0xC0 | (character >> 6)), static_cast<char>(0x80 | (character & 0x3F))};
      }
    }
  }
};

const Alphabet& TheAlphabet() {
  static const Alphabet* const alphabet = new Alphabet;
  return *alphabet;
}

}  // namespace

std::string_view ByteToAlphabet(uint8_t byte) { return TheAlphabet().text_of_byte[byte]; }

std::optional<std::string> AlphabetToBytes(std::string_view text) {
  const Alphabet& alphabet = TheAlphabet();
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<uint8_t>(text[i]);
    uint32_t character = lead;
    if (lead >= 0x80) {
      // The whole alphabet lies below U+0144, so a character has at most two bytes.
      if (lead < 0xC2 || lead > 0xDF || i + 1 == text.size()) return std::nullopt;
      const auto tail = static_cast<uint8_t>(text[++i]);
      if ((tail & 0xC0) != 0x80) return std::nullopt;
      character = (lead & 0x1Fu) << 6 | (tail & 0x3Fu);
    }
    if (character >= alphabet.byte_of_character.size() || alphabet.byte_of_character[character] < 0) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(alphabet.byte_of_character[character]));
  }
  return bytes;
}

}  // namespace enigma::engine
