#include "engine/corpus/labelled_texts.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/corpus/router_corpus.h"
#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Shown(const std::vector<LabelledText>& texts) {
  std::vector<std::string> shown;
  for (const LabelledText& text : texts) {
    shown.push_back(std::to_string(text.line) + " " + text.label + ": " + text.text);
  }
  return shown;
}

std::vector<std::string> ReadTexts(const char* name, std::string_view bytes) {
  std::vector<LabelledText> texts;
  const auto counts = ReadLabelledTexts({name, bytes}, 0, {}, texts);
  EXPECT_TRUE(counts.ok()) << counts.status();
  return Shown(texts);
}

std::string LabelledErrorOf(const char* name, std::string_view bytes) {
  std::vector<LabelledText> texts;
  const auto counts = ReadLabelledTexts({name, bytes}, 0, {}, texts);
  EXPECT_EQ(counts.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(counts.status().message());
}

TEST(LabelledTextsTest, EveryShapeIsRead) {
  EXPECT_THAT(ReadTexts("a.tsv",
                        "\xEF\xBB\xBF"
                        "chat\thow are you \r\n\ncode\tfix\tthis\n"),
              ElementsAre("1 chat: how are you", "3 code: fix\tthis"));
  EXPECT_THAT(ReadTexts("a.txt", "Q: how are\nyou\nA: [E:tool]chat\n\nQ: fix this\nA: code\n"),
              ElementsAre("1 chat: how are\nyou", "5 code: fix this"));
  EXPECT_THAT(ReadTexts("a.txt", "{\"text\": \"how are you\", \"label\": \"chat\", \"id\": 4}\n"),
              ElementsAre("1 chat: how are you"));
  EXPECT_THAT(ReadTexts("a.jsonl", "\n{\"label\":\"code\",\"text\":\"x\"}\n"), ElementsAre("2 code: x"));
}

TEST(LabelledTextsTest, WhatIsWrongIsNamedWithFileAndLine) {
  EXPECT_THAT(LabelledErrorOf("a.tsv", "chat\tx\nno tab here\n"), HasSubstr("a.tsv:2: no tab stands between"));
  EXPECT_THAT(LabelledErrorOf("a.tsv", "\tx\n"), HasSubstr("a.tsv:1: the label is empty"));
  EXPECT_THAT(LabelledErrorOf("a.tsv", "chat\t  \n"), HasSubstr("a.tsv:1: the text is empty"));
  EXPECT_THAT(LabelledErrorOf("a.tsv", std::string(65, 'x') + "\ty\n"), HasSubstr("longer than 64 bytes"));
  EXPECT_THAT(LabelledErrorOf("a.tsv", "chat\t\xFF\n"), HasSubstr("a.tsv:1: byte 6"));
  EXPECT_THAT(LabelledErrorOf("a.tsv", "\n\n"), HasSubstr("a.tsv: the file holds no text"));
  EXPECT_THAT(LabelledErrorOf("a.jsonl", "{\"label\":\"a\",\"text\":\"b\"}\n{\"text\":\"b\"}"),
              HasSubstr("a.jsonl:2: the object has no string 'label'"));
  EXPECT_THAT(LabelledErrorOf("a.jsonl", "{\"label\":1,\"text\":\"b\"}"), HasSubstr("no string 'label'"));
  EXPECT_THAT(LabelledErrorOf("a.jsonl", "{\"label\":"), HasSubstr("a.jsonl:1: this is no JSON object"));
  EXPECT_THAT(LabelledErrorOf("q.txt", "Q: x\nA: [E:search]y\n"), HasSubstr("q.txt:1: a router's answer is the label"));
  EXPECT_THAT(LabelledErrorOf("q.txt", "Q: x\n"), HasSubstr("q.txt:1: the question has no answer"));
}

TEST(LabelledTextsTest, DuplicatesAndOddLabelsAreTold) {
  const auto corpus = ReadLabelledCorpus(
      {{"a.tsv", "chat\thello\nchat\t hello\ncode\thello\n"}, {"b.tsv", "math\t1 + 1\ncode\tx\nchat\thello\n"}}, {});
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_THAT(Shown(corpus->texts), ElementsAre("1 chat: hello", "3 code: hello", "1 math: 1 + 1", "2 code: x"));
  EXPECT_THAT(corpus->labels, ElementsAre("chat", "code", "math"));
  EXPECT_THAT(corpus->report.dropped[DropReason::kExactDuplicate].examples,
              ElementsAre("a.tsv:2 (like a.tsv:1)", "b.tsv:3 (like a.tsv:1)"));
  ASSERT_EQ(corpus->report.warnings.size(), 2u);
  EXPECT_EQ(corpus->report.warnings[0].text, "1 texts stand under two labels: a.tsv:3 (like a.tsv:1)");
  EXPECT_THAT(corpus->report.warnings[1].text, HasSubstr("2 labels have a single text"));
  EXPECT_THAT(corpus->report.warnings[1].text, HasSubstr("'chat', 'math'"));
}

TEST(LabelledTextsTest, ATextUnderTwoLabelsStandsOnceUnderEach) {
  const auto corpus = ReadLabelledCorpus({{"a.tsv", "chat\tA\ncode\tA\ncode\tA\nchat\tA\n"}}, {});
  ASSERT_TRUE(corpus.ok()) << corpus.status();
  EXPECT_THAT(Shown(corpus->texts), ElementsAre("1 chat: A", "2 code: A"));
  EXPECT_THAT(corpus->report.dropped[DropReason::kExactDuplicate].examples,
              ElementsAre("a.tsv:3 (like a.tsv:2)", "a.tsv:4 (like a.tsv:1)"));
}

TEST(LabelledTextsTest, OneLabelIsNothingToTellApart) {
  const auto corpus = ReadLabelledCorpus({{"a.tsv", "chat\tx\nchat\ty\n"}}, {});
  EXPECT_THAT(std::string(corpus.status().message()), HasSubstr("hold 1 labels; a router tells 2 to 1024 apart"));
}

std::vector<LabelledText> SomeTexts(int rare, int common) {
  std::vector<LabelledText> texts;
  for (int i = 0; i < rare; ++i) texts.push_back({"rare", "r" + std::to_string(i), 0, 0});
  for (int i = 0; i < common; ++i) texts.push_back({"common", "c" + std::to_string(i), 0, 0});
  return texts;
}

TEST(HeldOutTest, EachLabelGivesItsShare) {
  const std::vector<LabelledText> texts = SomeTexts(20, 200);
  const std::vector<bool> held = HeldOut(texts, 0.1);
  EXPECT_EQ(std::count(held.begin(), held.begin() + 20, true), 2);
  EXPECT_EQ(std::count(held.begin() + 20, held.end(), true), 20);
  std::vector<LabelledText> turned(texts.rbegin(), texts.rend());
  const std::vector<bool> again = HeldOut(turned, 0.1);
  EXPECT_EQ(std::vector<bool>(again.rbegin(), again.rend()), held) << "the text decides, not its place";
  const std::vector<bool> single = HeldOut(SomeTexts(1, 1), 0.49);
  EXPECT_EQ(std::count(single.begin(), single.end(), true), 0);
}

class RouterCorpusTest : public ::testing::Test {
 protected:
  RouterCorpusTest() {
    corpus_.texts = {{"code", "hello", 0, 1}, {"chat", "he", 0, 2}};
    corpus_.labels = {"chat", "code"};
    router_.labels = corpus_.labels;
    router_.label_tokens = {testing::kBpStart, testing::kBpEnd};
  }
  absl::StatusOr<PreparedCorpus> Prepare(const RouterCorpusOptions& options) {
    return PrepareRouterCorpus(corpus_, *tokenizer_, router_, options);
  }

  const std::unique_ptr<Tokenizer> tokenizer_ = Tokenizer::FromGguf(testing::BytePairVocabulary("gpt-2")).value();
  LabelledCorpus corpus_;
  RouterSpec router_;
};

TEST_F(RouterCorpusTest, ADocumentIsPromptLabelAndEnd) {
  const auto prepared = Prepare({});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const TokenSet& set = *prepared->tokens;
  ASSERT_EQ(set.documents(TokenSet::Part::kTraining), 2u);
  const uint64_t label = set.begin(1) - 2;
  EXPECT_EQ(set.Token(label), testing::kBpEnd);
  EXPECT_EQ(set.Token(label + 1), testing::kBpEndOfText);
  std::vector<TokenId> prompt;
  for (uint64_t at = 0; at < label; ++at) prompt.push_back(set.Token(at));
  EXPECT_EQ(Decode(*tokenizer_, prompt), "Q: hello\nA: [E:tool]");
  EXPECT_EQ(set.trained(TokenSet::Part::kTraining), 4u) << "two labels and two ends";
  EXPECT_TRUE(set.IsTrained(label));
  EXPECT_FALSE(set.IsTrained(label - 1));
  EXPECT_EQ(prepared->report.warnings.back().code, "no_validation");
}

TEST_F(RouterCorpusTest, TextsMayBeLearnedToo) {
  const auto prepared = Prepare({.train_on_prompts = true});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->tokens->trained(TokenSet::Part::kTraining), prepared->tokens->tokens() - 2);
}

TEST_F(RouterCorpusTest, NoDocumentIsLongerThanTheContext) {
  corpus_.texts[0].text = std::string(100, 'x');
  const auto prepared = Prepare({.context = 32});
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_EQ(prepared->tokens->size(0), 33u) << "of which the last is never read";
  EXPECT_EQ(prepared->tokens->Token(31), testing::kBpEnd);
}

TEST_F(RouterCorpusTest, WhatCannotBeIsAnError) {
  EXPECT_THAT(std::string(Prepare({.validation_share = 0.5}).status().message()), HasSubstr("validation_share"));
  EXPECT_THAT(std::string(Prepare({.context = 7}).status().message()), HasSubstr("7 tokens are too few"));
  corpus_.texts[1].label = "math";
  EXPECT_THAT(std::string(Prepare({}).status().message()), HasSubstr("label 'math' is none of the router's"));
}

}  // namespace
}  // namespace enigma::engine
