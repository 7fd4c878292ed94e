#include "engine/text/byte_alphabet.h"

#include <set>

#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

TEST(ByteAlphabet, GivesEveryByteACharacterOfItsOwn) {
  std::set<std::string_view> seen;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string_view text = ByteToAlphabet(static_cast<uint8_t>(byte));
    EXPECT_TRUE(seen.insert(text).second) << byte;
    EXPECT_EQ(AlphabetToBytes(text), std::string(1, static_cast<char>(byte)));
  }
}

TEST(ByteAlphabet, WritesBytesAsGpt2Does) {
  EXPECT_EQ(ByteToAlphabet('a'), "a");
  EXPECT_EQ(ByteToAlphabet(' '), "Ġ");
  EXPECT_EQ(ByteToAlphabet('\n'), "Ċ");
  EXPECT_EQ(ByteToAlphabet(0x00), "Ā");
  EXPECT_EQ(ByteToAlphabet(0x7F), "ġ");
  EXPECT_EQ(ByteToAlphabet(0xA0), "ł");
  EXPECT_EQ(ByteToAlphabet(0xAD), "Ń");
  EXPECT_EQ(ByteToAlphabet(0xFF), "ÿ");
}

TEST(ByteAlphabet, RefusesOtherCharacters) {
  EXPECT_EQ(AlphabetToBytes("ĠHello"), " Hello");
  for (const std::string_view text : {"a b", "a\n", "\xC5\x84", "你", "\xC4", "\xC4z", "\x80"}) {
    EXPECT_EQ(AlphabetToBytes(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace enigma::engine
