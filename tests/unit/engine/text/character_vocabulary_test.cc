#include "engine/text/character_vocabulary.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace enigma::engine {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> BeyondBytes(const WordCounts& words, const CharacterVocabularyOptions& options) {
  const auto made = BuildCharacterVocabulary(words, options);
  EXPECT_TRUE(made.ok()) << made.status();
  if (!made.ok()) return {};
  return {made->tokens.begin() + 256, made->tokens.end()};
}

TEST(CharacterVocabulary, BuildsCharactersFromTheirBytes) {
  const auto made =
      BuildCharacterVocabulary({{"né", 1}, {"你们", 1}, {"佡\xFF\xE4", 1}, {"😀", 1}}, {.token_count_max = 300});
  ASSERT_TRUE(made.ok()) << made.status();
  // By code points; the beginnings of characters come once each. 你 is E4 BD A0, 佡 E4 BD A1, 们 E4 BB AC.
  EXPECT_THAT(std::vector<std::string>(made->tokens.begin() + 256, made->tokens.end()),
              ElementsAre("é", "\xE4\xBB", "们", "\xE4\xBD", "你", "佡", "\xF0\x9F", "\xF0\x9F\x98", "😀"));
  ASSERT_EQ(made->merges.size(), 9u);
  for (size_t i = 0; i < made->merges.size(); ++i) {
    EXPECT_EQ(made->tokens[made->merges[i].left] + made->tokens[made->merges[i].right], made->tokens[256 + i]);
  }
}

TEST(CharacterVocabulary, AddsTheMostFrequentWords) {
  const WordCounts words = {{"the", 5}, {" the", 9}, {" cat", 5}, {"a", 100},  {" a", 4},        {"é", 50},
                            {"12", 90}, {"...", 80}, {" 7", 70},  {"once", 1}, {"\xFF\xFF", 60}, {"né", 3}};
  EXPECT_THAT(BeyondBytes(words, {.token_count_max = 1000}), ElementsAre("é", " the", " cat", "the", " a", "né"));
  EXPECT_THAT(BeyondBytes(words, {.token_count_max = 259}), ElementsAre("é", " the", " cat"));
  EXPECT_THAT(BeyondBytes(words, {.token_count_max = 1000, .words = 1}), ElementsAre("é", " the"));
  EXPECT_THAT(BeyondBytes(words, {.token_count_max = 257, .words = 0}), ElementsAre("é"));
}

TEST(CharacterVocabulary, SaysWhatDoesNotFit) {
  const auto message = [](const CharacterVocabularyOptions& options) {
    return ToString(BuildCharacterVocabulary({{"你é", 9}, {"ab", 9}}, options).status().message());
  };
  EXPECT_THAT(message({.token_count_max = 258}), AllOf(HasSubstr("258"), HasSubstr("need 259")));
  EXPECT_THAT(message({.token_count_max = 260, .words = 2}), AllOf(HasSubstr("2 words"), HasSubstr("need 261")));
  EXPECT_THAT(ToString(BuildCharacterVocabulary({}, {.token_count_max = 300}).status().message()),
              HasSubstr("no text"));
}

}  // namespace
}  // namespace enigma::engine
