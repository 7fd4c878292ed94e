#include "engine/text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/pre_tokenizer_table.h"

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Split(const std::vector<std::string>& patterns, std::string_view text,
                               uint64_t* limit_hits = nullptr) {
  const auto pre_tokenizer = PreTokenizer::Create(patterns);
  EXPECT_TRUE(pre_tokenizer.ok()) << pre_tokenizer.status();
  PreTokenizer::Workspace workspace(**pre_tokenizer);
  std::vector<std::string_view> pieces;
  (*pre_tokenizer)->Split(text, workspace, pieces);
  if (limit_hits != nullptr) *limit_hits = (*pre_tokenizer)->limit_hits();
  return {pieces.begin(), pieces.end()};
}

std::vector<std::string> SplitAs(std::string_view name, std::string_view text) {
  const PreTokenizerRule* rule = FindPreTokenizerRule(name);
  if (rule == nullptr) return {"no such rule"};
  return Split(rule->patterns, text);
}

TEST(PreTokenizer, KeepsWhatLiesBetweenMatches) {
  EXPECT_THAT(Split({"[0-9]+"}, "ab12c3"), ElementsAre("ab", "12", "c", "3"));
  EXPECT_THAT(Split({"[0-9]+", "b"}, "abc12b"), ElementsAre("a", "b", "c", "12", "b"));
  EXPECT_THAT(Split({"x"}, ""), ElementsAre());
}

TEST(PreTokenizer, MakesInvalidBytesPiecesOfTheirOwn) {
  EXPECT_THAT(Split({R"(\p{L}+)"},
                    "ab\xFF\xFE"
                    "cd\xE2\x82"),
              ElementsAre("ab", "\xFF\xFE", "cd", "\xE2\x82"));
}

TEST(PreTokenizer, CutsFixedPiecesWhereBacktrackingDoesNotEnd) {
  std::string text(6000, 'a');
  text += "é";
  uint64_t limit_hits = 0;
  const std::vector<std::string> pieces = Split({"(a|aa|a?a)+[bc]"}, text, &limit_hits);
  std::string joined;
  for (const std::string& piece : pieces) joined += piece;
  EXPECT_EQ(joined, text);
  EXPECT_GT(limit_hits, 0u);
}

TEST(PreTokenizer, NamesABrokenPattern) {
  const auto made = PreTokenizer::Create({"(unclosed"});
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("(unclosed"));
}

TEST(PreTokenizerTable, EveryPatternCompilesAndLosesNothing) {
  const std::string text =
      "It's 12345 o'clock,  DON'T\tpanic!!\n\n  ünïcödé ΑΒΓ 你好，世界。 かな \xF0\x9F\x98\x80 a/b\r\n3½ e\xCC\x81 "
      "\xFF end   ";
  for (const char* name :
       {"default", "gpt-2",     "llama-bpe", "llama3", "llama-v3", "qwen2",  "deepseek-llm", "deepseek-coder",
        "falcon",  "starcoder", "refact",    "mpt",    "phi-2",    "smollm", "command-r",    "tekken",
        "gpt-4o",  "dbrx",      "smaug-bpe", "olmo",   "jais",     "exaone", "deepseek-v3",  "cl100k"}) {
    std::string joined;
    for (const std::string& piece : SplitAs(name, text)) {
      EXPECT_FALSE(piece.empty()) << name;
      joined += piece;
    }
    EXPECT_EQ(joined, text) << name;
  }
  EXPECT_EQ(FindPreTokenizerRule("no-such-name"), nullptr);
  EXPECT_THAT(PreTokenizerNames(), HasSubstr("qwen2, "));
}

TEST(PreTokenizerTable, Gpt2KeepsNumbersWholeAndContractionsSmall) {
  EXPECT_THAT(SplitAs("gpt-2", "I'm 12345  y'ALL"), ElementsAre("I", "'m", " 12345", " ", " y", "'", "ALL"));
}

TEST(PreTokenizerTable, FamiliesDifferInDigits) {
  EXPECT_THAT(SplitAs("llama-bpe", "12345"), ElementsAre("123", "45"));
  EXPECT_THAT(SplitAs("qwen2", "123"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(SplitAs("falcon", " 12345"), ElementsAre(" ", "123", "45"));
  EXPECT_THAT(SplitAs("starcoder", " 12"), ElementsAre(" ", "1", "2"));
  EXPECT_THAT(SplitAs("deepseek-coder", "a12"), ElementsAre("a", "1", "2"));
  EXPECT_THAT(SplitAs("tekken", "12"), ElementsAre("1", "2"));
  EXPECT_THAT(SplitAs("gpt-4o", "1234"), ElementsAre("123", "4"));
}

TEST(PreTokenizerTable, Llama3TakesContractionsInAnyCase) {
  EXPECT_THAT(SplitAs("llama-bpe", "y'ALL'LL!\n\n x"), ElementsAre("y", "'ALL", "'LL", "!\n\n", " x"));
}

TEST(PreTokenizerTable, Gpt4oAndTekkenSplitAtCapitals) {
  EXPECT_THAT(SplitAs("gpt-4o", "camelCase it's"), ElementsAre("camel", "Case", " it's"));
  EXPECT_THAT(SplitAs("tekken", "camelCase it's"), ElementsAre("camel", "Case", " it", "'s"));
}

TEST(PreTokenizerTable, DeepseekLlmSeparatesScriptsAndLines) {
  EXPECT_THAT(SplitAs("deepseek-llm", "ab 12\n你好!  "), ElementsAre("ab", " ", "1", "2", "\n", "你好", "!", "  "));
}

}  // namespace
}  // namespace enigma::engine
