#include "engine/text/word_counter.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "engine/text/pre_tokenizer_table.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::unique_ptr<WordCounter> Make(std::string_view pre, const std::vector<std::string>& special = {}) {
  auto made = WordCounter::Create(pre, special);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : nullptr;
}

TEST(WordCounter, CountsPiecesOverTexts) {
  const auto counter = Make("qwen2");
  counter->Add("the cat, the 42");
  counter->Add(" the");
  EXPECT_THAT(counter->words(), UnorderedElementsAre(Pair("the", 1), Pair(" cat", 1), Pair(",", 1), Pair(" the", 2),
                                                     Pair(" ", 1), Pair("4", 1), Pair("2", 1)));
  EXPECT_EQ(counter->bytes(), 19u);
  EXPECT_EQ(counter->special_count(), 0u);
}

TEST(WordCounter, CutsAtSpecialTokensTheLongestFirst) {
  const auto counter = Make("gpt-2", {"<|a|>", "<|a|>b"});
  counter->Add("x<|a|>x<|a|>b<|a|><|a|");
  EXPECT_THAT(counter->words(), UnorderedElementsAre(Pair("x", 2), Pair("<|", 1), Pair("a", 1), Pair("|", 1)));
  EXPECT_EQ(counter->special_count(), 3u);
}

TEST(WordCounter, MakesBytesThatAreNotUtf8WordsOfTheirOwn) {
  const auto counter = Make("gpt-2");
  counter->Add("ab\xFF\xFE ab");
  EXPECT_THAT(counter->words(), UnorderedElementsAre(Pair("ab", 1), Pair("\xFF\xFE", 1), Pair(" ab", 1)));
}

// Long texts are worked on in parts, which must not show.
TEST(WordCounter, CountsALongTextAsAWhole) {
  static constexpr const char* kWords[] = {"Once", "upon", "a",  "time", "I'll", "don't", "1234", "x",
                                           "(see", "é",    "你", "==>",  "\n\n", "\t",    "  ",   "end."};
  std::mt19937 random(3);
  std::string text;
  while (text.size() < 700'000) text += std::string(kWords[random() % 16]) + (random() % 8 == 0 ? "\n" : " ");
  for (const char* name : {"default", "gpt-2", "llama-bpe", "cl100k", "qwen2", "deepseek-llm", "deepseek-coder",
                           "deepseek-v3", "falcon", "starcoder", "tekken", "gpt-4o"}) {
    const auto whole = PreTokenizer::Create(FindPreTokenizerRule(name)->patterns);
    ASSERT_TRUE(whole.ok());
    PreTokenizer::Workspace workspace(**whole);
    std::vector<std::string_view> pieces;
    (*whole)->Split(text, workspace, pieces);
    WordCounts expected;
    for (const std::string_view piece : pieces) ++expected[std::string(piece)];
    const auto counter = Make(name);
    counter->Add(text);
    EXPECT_TRUE(counter->words() == expected) << name;
  }
}

TEST(WordCounter, TakesLongTextsWithoutWords) {
  const auto counter = Make("qwen2");
  std::string text;
  while (text.size() < 1'200'000) text += "你";
  counter->Add(text);
  uint64_t bytes = 0;
  for (const auto& [word, count] : counter->words()) {
    bytes += word.size() * count;
    EXPECT_EQ(word.size() % 3, 0u) << "a character was cut";
  }
  EXPECT_EQ(bytes, text.size());
}

TEST(WordCounter, NamesAPreTokenizerThatIsNotKnown) {
  EXPECT_THAT(ToString(WordCounter::Create("nonsense", {}).status().message()),
              ::testing::AllOf(HasSubstr("'nonsense'"), HasSubstr("qwen2")));
}

}  // namespace
}  // namespace enigma::engine
