// Texts with calls in them over the tokens of real vocabularies: the masks are exact, also for control tokens.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "engine/sampling/constraint/constraint_cache.h"
#include "engine/sampling/constraint/token_matcher.h"
#include "engine/sampling/sampler.h"
#include "engine/spec/gguf.h"
#include "engine/text/tool_calls/mark_tokens.h"
#include "engine/text/tool_calls/strict_calls.h"
#include "tests/support/test_data.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

// Of the control tokens, "<think>" is none that calls are made of.
std::unique_ptr<Tokenizer> Load(const std::string& path) {
  auto made =
      path.ends_with(".gguf")
          ? Tokenizer::FromGguf((*GgufFile::Open(path))->metadata())
          : Tokenizer::FromTiktoken(testing::ReadFileOrDie(path), "llama-bpe",
                                    {"<|begin_of_text|>", "<|eot_id|>", "<tool_call>", "</tool_call>", "<think>"});
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : nullptr;
}

std::string Document() {
  ToolSyntax syntax;
  syntax.shape = ToolSyntax::Shape::kObject;
  syntax.open = "<tool_call>\n";
  syntax.close = "\n</tool_call>";
  const std::vector<Json> functions = {
      {{"name", "time_in"},
       {"parameters", Json::parse(R"({"type":"object","properties":{"city":{"enum":["Rome","Oslo"]},
            "hours":{"type":"integer"}},"required":["city"],"additionalProperties":false})")},
       {"strict", true}}};
  return SchemaOfStrictCalls(syntax, functions, /*several=*/true);
}

constexpr char kAnswer[] =
    "Well, <b>: <tool_call>\n{\"name\": \"time_in\", \"arguments\": {\"city\": \"Rome\", \"hours\": 12}}\n</tool_call>"
    "\nAnd so on";
constexpr char kWrong[] = "<tool_call>\n{\"name\": \"time_in\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";

class TextMaskTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ENIGMA_REQUIRE_DATA(path, GetParam());
    tokenizer_ = Load(path);
    ASSERT_NE(tokenizer_, nullptr);
    cache_.emplace(*tokenizer_);
    const auto constraint = cache_->Get(Document());
    ASSERT_TRUE(constraint.ok()) << constraint.status();
    constraint_ = *constraint;
  }
  // The tokens of an answer, with control tokens where a vocabulary has them.
  std::vector<TokenId> Encode(const std::string& text) const {
    return tokenizer_->Encode(text, {.add_special = false, .parse_special = true});
  }
  TokenId Control(const std::string& text) const {
    const std::vector<TokenId> ids = Encode(text);
    return ids.size() == 1 && tokenizer_->IsControl(ids.front()) ? ids.front() : -1;
  }
  TokenBits MaskOf(TokenMatcher& matcher) {
    TokenBits mask;
    EXPECT_TRUE(matcher.FillMask(mask).ok());
    return mask;
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<ConstraintCache> cache_;
  std::shared_ptr<const TokenConstraint> constraint_;
};

TEST_P(TextMaskTest, AnAnswerWithAGoodCallPassesAndABadOneIsStopped) {
  TokenMatcher matcher(constraint_);
  const TokenId end = constraint_->trie().end_tokens().front();
  std::string said;
  for (const TokenId id : Encode(kAnswer)) {
    const TokenBits mask = MaskOf(matcher);
    ASSERT_TRUE(HasToken(mask, id)) << said << "^" << tokenizer_->TokenBytes(id, true);
    const bool in_call =
        said.find("<tool_call>") != std::string::npos && said.find("</tool_call>") == std::string::npos;
    EXPECT_EQ(HasToken(mask, end), !in_call) << said;
    ASSERT_TRUE(matcher.Accept(id).ok());
    said += tokenizer_->TokenBytes(id, true);
  }
  EXPECT_TRUE(matcher.MayEnd());
  EXPECT_FALSE(matcher.MustEnd());

  TokenMatcher wrong(constraint_);
  said.clear();
  for (const TokenId id : Encode(kWrong)) {
    const bool allowed = HasToken(MaskOf(wrong), id);
    ASSERT_EQ(wrong.Accept(id).ok(), allowed) << said;
    if (!allowed) break;
    said += tokenizer_->TokenBytes(id, true);
  }
  EXPECT_TRUE(said.ends_with("{\"city\":") || said.ends_with("{\"city\": ") || said.ends_with("{\"city\": \"")) << said;
}

TEST_P(TextMaskTest, MasksAgreeWithAccept) {
  std::vector<TokenId> before;
  for (const TokenId next : Encode(kAnswer)) {
    TokenMatcher matcher(constraint_);
    for (const TokenId id : before) ASSERT_TRUE(matcher.Accept(id).ok());
    const TokenBits mask = MaskOf(matcher);
    // All that is allowed or refused against the grain of its place, and some of the rest.
    const size_t allowed =
        static_cast<size_t>(std::count_if(mask.begin(), mask.end(), [](uint64_t w) { return w != 0; }));
    const bool mostly = allowed > mask.size() / 2;
    for (TokenId id = 0; static_cast<size_t>(id) < tokenizer_->vocab_size(); ++id) {
      const bool looked_at = HasToken(mask, id) != mostly || tokenizer_->IsControl(id) ||
                             CounterUniform(before.size(), 0, static_cast<uint64_t>(id)) < 0.02;
      if (!looked_at) continue;
      TokenMatcher probe = matcher;
      ASSERT_EQ(probe.Accept(id).ok(), HasToken(mask, id))
          << before.size() << " '" << tokenizer_->TokenBytes(id, true) << "'";
    }
    before.push_back(next);
  }
}

// In free text nothing is forbidden but to complete a mark with what is no call.
TEST_P(TextMaskTest, FreeTextIsFree) {
  TokenMatcher matcher(constraint_);
  TokenBits mask = MaskOf(matcher);
  size_t forbidden = 0;
  for (TokenId id = 0; static_cast<size_t>(id) < tokenizer_->vocab_size(); ++id)
    forbidden += HasToken(mask, id) ? 0 : 1;
  EXPECT_EQ(forbidden, 0U);
  for (const TokenId id : Encode("Once <tool_call")) ASSERT_TRUE(matcher.Accept(id).ok());
  mask = MaskOf(matcher);
  TokenId close = 0;
  while (tokenizer_->TokenBytes(close, false) != ">") ++close;
  EXPECT_TRUE(HasToken(mask, close));
  for (TokenId id = 0; static_cast<size_t>(id) < tokenizer_->vocab_size(); ++id) {
    const std::string bytes = tokenizer_->TokenBytes(id, false);
    if (!bytes.starts_with(">") || bytes.size() == 1) continue;
    const bool goes_on = std::string_view(" \t\r\n{").find(bytes[1]) != std::string_view::npos;
    const bool opens = bytes == ">\n" || bytes == ">{" || bytes == ">{\"";
    const bool breaks = !goes_on || bytes.starts_with(">{}");
    if (opens || breaks) {
      EXPECT_EQ(HasToken(mask, id), opens) << bytes;
    }
  }
}

TEST_P(TextMaskTest, ControlTokensAreMarksOrSilent) {
  const TokenId open = Control("<tool_call>");
  if (open < 0) GTEST_SKIP() << "the vocabulary has no such tokens";
  const TokenId close = Control("</tool_call>");
  const TokenId think = Control("<think>");
  TokenMatcher matcher(constraint_);
  for (const TokenId id : Encode("Hm ")) ASSERT_TRUE(matcher.Accept(id).ok());
  ASSERT_TRUE(matcher.Accept(think).ok()) << "it has no text, and changes nothing";
  ASSERT_TRUE(matcher.Accept(open).ok());
  const TokenBits mask = MaskOf(matcher);
  for (const TokenId id : {open, close, think}) {
    EXPECT_FALSE(HasToken(mask, id));
    EXPECT_FALSE(matcher.Accept(id).ok());
  }
  for (const TokenId id : Encode(R"({"name": "time_in", "arguments": {"city": "Oslo"}})")) {
    ASSERT_FALSE(HasToken(MaskOf(matcher), close));
    ASSERT_TRUE(matcher.Accept(id).ok());
  }
  EXPECT_TRUE(HasToken(MaskOf(matcher), close));
  EXPECT_FALSE(matcher.MayEnd());
  ASSERT_TRUE(matcher.Accept(close).ok());
  EXPECT_TRUE(matcher.MayEnd());
  EXPECT_TRUE(HasToken(MaskOf(matcher), open)) << "one more call";
  // Half a mark in letters, and its rest behind a token without text.
  for (const TokenId id : Encode("<tool_")) ASSERT_TRUE(matcher.Accept(id).ok());
  ASSERT_TRUE(matcher.Accept(think).ok());
  for (const TokenId id : Encode("call>")) ASSERT_TRUE(matcher.Accept(id).ok());
  EXPECT_FALSE(matcher.MayEnd());
}

// Marks are known by their tokens, and what ends generation is no part of one.
TEST_P(TextMaskTest, MarksAreTakenApartByTheVocabulary) {
  const TokenId open = Control("<tool_call>");
  if (open < 0) GTEST_SKIP() << "the vocabulary has no such tokens";
  const std::vector<TokenId> tokens = MarkTokens(*tokenizer_, "<tool_call>a</tool_call><|eot_id|><tool_call>");
  EXPECT_EQ(tokens, std::vector<TokenId>({open, Control("</tool_call>")}));
  EXPECT_EQ(BeforeEndOfGeneration(*tokenizer_, "\n</tool_call><|eot_id|>\n"), "\n</tool_call>");
  EXPECT_EQ(BeforeEndOfGeneration(*tokenizer_, "<|eot_id|>"), "");
  EXPECT_EQ(BeforeEndOfGeneration(*tokenizer_, "\n</tool_call>"), "\n</tool_call>");
}

// A choice that no constraint would change is not changed by this one.
TEST_P(TextMaskTest, TheSamplerIsLeftAloneInFreeText) {
  SamplingParams params;
  params.temperature = 1.0F;
  Sampler free(params, {});
  params.constraint = constraint_;
  Sampler held(params, {});
  std::vector<float> logits(tokenizer_->vocab_size());
  for (uint32_t step = 0; step < 20; ++step) {
    for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(CounterUniform(9 + step, 0, i) * 8);
    const TokenId id = free.Sample(logits, step).id;
    ASSERT_EQ(held.Sample(logits, step).id, id);
    held.Accept(id);
    ASSERT_TRUE(held.constraint_status().ok());
    if (held.Finished() || tokenizer_->IsEndOfGeneration(id) || id == Control("<tool_call>")) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, TextMaskTest,
                         ::testing::Values("tokenizers/ggml-vocab-llama-spm.gguf", "tokenizers/ggml-vocab-gpt-2.gguf",
                                           "tokenizers/llama3/tokenizer.model"));

}  // namespace
}  // namespace enigma::engine
