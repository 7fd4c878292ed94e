#include "base/utf8.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace enigma {
namespace {

using Kind = Utf8Step::Kind;

TEST(ReadUtf8, KnowsCharactersOfEveryLength) {
  for (const std::string_view character :
       {"a", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    const Utf8Step step = ReadUtf8(std::string(character) + "z");
    EXPECT_EQ(step.kind, Kind::kCharacter) << character;
    EXPECT_EQ(step.length, character.size()) << character;
  }
}

TEST(ReadUtf8, CutsInvalidRunsAtMaximalSubparts) {
  const struct {
    std::string_view bytes;
    size_t length;
  } cases[] = {
      {"\x80", 1},          // a continuation without a lead
      {"\xC0\xAF", 1},      // overlong leads begin nothing
      {"\xE0\x80\xAF", 1},  // overlong
      {"\xED\xA0\x80", 1},  // a surrogate
      {"\xF5\x80\x80\x80", 1},
      {"\xF4\x90\x80\x80", 1},  // above U+10FFFF
      {"\xE2\x82z", 2},         // broken off inside
      {"\xF0\x9F\x98z", 3},
  };
  for (const auto& c : cases) {
    const Utf8Step step = ReadUtf8(c.bytes);
    EXPECT_EQ(step.kind, Kind::kInvalid) << c.bytes;
    EXPECT_EQ(step.length, c.length) << c.bytes;
  }
}

TEST(ReadUtf8, TellsUnfinishedFromInvalid) {
  for (const std::string_view bytes : {"\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xF0"}) {
    const Utf8Step step = ReadUtf8(bytes);
    EXPECT_EQ(step.kind, Kind::kUnfinished);
    EXPECT_EQ(step.length, bytes.size());
  }
}

TEST(ValidUtf8Prefix, StopsWhereTheFirstInvalidByteIs) {
  EXPECT_EQ(ValidUtf8Prefix(""), 0u);
  EXPECT_EQ(ValidUtf8Prefix("plain text, longer than a word"), 30u);
  EXPECT_EQ(ValidUtf8Prefix("éé"), 4u);
  EXPECT_EQ(ValidUtf8Prefix("12345678\xFF"), 8u);
  EXPECT_EQ(ValidUtf8Prefix("1234567é1\xE2\x82"), 10u);
}

}  // namespace
}  // namespace enigma
