// Constraints over the tokens of real vocabularies.

#include "engine/sampling/constraint/token_matcher.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/counter_random.h"
#include "engine/sampling/constraint/constraint_cache.h"
#include "engine/sampling/sampler.h"
#include "engine/spec/gguf.h"
#include "tests/support/test_data.h"
#include "tests/unit/engine/sampling/constraint/schema_validator.h"

namespace enigma::engine {
namespace {

std::unique_ptr<Tokenizer> Load(const std::string& path) {
  auto made = path.ends_with(".gguf") ? Tokenizer::FromGguf((*GgufFile::Open(path))->metadata())
                                      : Tokenizer::FromTiktoken(testing::ReadFileOrDie(path), "llama-bpe",
                                                                {"<|begin_of_text|>", "<|eot_id|>"});
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : nullptr;
}

class TokenMatcherTest : public ::testing::TestWithParam<const char*> {};

const char* const kSchemas[] = {
    "",
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":12},"age":{"type":"integer","minimum":0,
        "maximum":150},"tags":{"type":"array","items":{"enum":["red","green","blue"]},"minItems":1,"maxItems":3},
        "at":{"type":"string","format":"date"}},"required":["name","age"],"additionalProperties":false})",
    R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"v":{"type":"number","minimum":-2.5,
        "maximum":7},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v","next"]}}})",
    R"({"type":"array","items":{"type":"string","pattern":"^[a-z]{1,8}$"},"maxItems":4})",
    R"({"type":"object","properties":{"k":{"const":"x"}},"required":["k"],"additionalProperties":{"type":"boolean"}})",
};

// Random allowed tokens until the output is complete: the text is JSON and what the schema asks for.
TEST_P(TokenMatcherTest, RandomWalksEndInValidOutput) {
  ENIGMA_REQUIRE_DATA(path, GetParam());
  const std::unique_ptr<Tokenizer> tokenizer = Load(path);
  ASSERT_NE(tokenizer, nullptr);
  ConstraintCache cache(*tokenizer);
  int complete = 0;
  for (const char* schema : kSchemas) {
    const auto constraint = cache.Get(schema);
    ASSERT_TRUE(constraint.ok()) << constraint.status();
    for (uint64_t seed = 0; seed < 12; ++seed) {
      TokenMatcher matcher(*constraint);
      TokenBits mask;
      std::string text;
      for (uint64_t step = 0; step < 150 && !matcher.MustEnd(); ++step) {
        ASSERT_TRUE(matcher.FillMask(mask).ok());
        // What ends something is preferred half of the time, or random nesting would go on for ever.
        std::vector<TokenId> allowed;
        std::vector<TokenId> closing;
        for (TokenId id = 0; static_cast<size_t>(id) < tokenizer->vocab_size(); ++id) {
          if (!HasToken(mask, id)) continue;
          allowed.push_back(id);
          const std::string bytes = tokenizer->TokenBytes(id, false);
          if (bytes == "}" || bytes == "]" || bytes == "\"" || bytes == "null" || bytes.empty()) closing.push_back(id);
        }
        ASSERT_FALSE(allowed.empty());
        const bool close = !closing.empty() && CounterUniform(seed, 1, step) < 0.5;
        const std::vector<TokenId>& from = close ? closing : allowed;
        const TokenId id = from[static_cast<size_t>(CounterUniform(seed, 2, step) * static_cast<double>(from.size()))];
        ASSERT_TRUE(matcher.Accept(id).ok())
            << text << " then " << id << " '" << tokenizer->TokenBytes(id, false) << "'";
        text += tokenizer->TokenBytes(id, false);
      }
      if (!matcher.MustEnd()) continue;
      ++complete;
      const auto value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
      ASSERT_FALSE(value.is_discarded()) << text;
      const auto rules = nlohmann::json::parse(*schema == '\0' ? R"({"type":"object"})" : schema);
      EXPECT_EQ(testing::SchemaViolation(rules, rules, value), "") << text;
    }
  }
  EXPECT_GT(complete, 25);
}

// The mask is exactly the tokens that Accept takes.
TEST_P(TokenMatcherTest, MasksAgreeWithAccept) {
  ENIGMA_REQUIRE_DATA(path, GetParam());
  const std::unique_ptr<Tokenizer> tokenizer = Load(path);
  ASSERT_NE(tokenizer, nullptr);
  ConstraintCache cache(*tokenizer);
  const std::pair<const char*, const char*> cases[] = {
      {kSchemas[0], R"({"a": [1, {"b": "c"}, nu)"},
      {kSchemas[1], R"({"name": "Zoe \u00e9", "age": 1)"},
      {kSchemas[2], R"({"v": -2.4, "next": {"v": 3)"},
  };
  for (const auto& [schema, output] : cases) {
    const auto constraint = cache.Get(schema);
    ASSERT_TRUE(constraint.ok()) << constraint.status();
    TokenMatcher matcher(*constraint);
    std::vector<TokenId> ids;
    for (const char c : std::string(output)) {
      TokenId found = -1;
      for (TokenId id = 0; static_cast<size_t>(id) < tokenizer->vocab_size() && found < 0; ++id) {
        if (tokenizer->TokenBytes(id, false) == std::string(1, c)) found = id;
      }
      ASSERT_GE(found, 0);
      TokenBits mask;
      ASSERT_TRUE(matcher.FillMask(mask).ok());
      for (TokenId id = 0; static_cast<size_t>(id) < tokenizer->vocab_size(); id += 7) {
        TokenMatcher probe(*constraint);
        if (HasToken(mask, id) || CounterUniform(5, 0, static_cast<uint64_t>(id)) < 0.02) {
          for (const TokenId before : ids) ASSERT_TRUE(probe.Accept(before).ok());
          ASSERT_EQ(probe.Accept(id).ok(), HasToken(mask, id))
              << ids.size() << " '" << tokenizer->TokenBytes(id, false);
        }
        if (id > 7'000 && ids.size() % 8 != 0) break;  // all of a large vocabulary now and then only
      }
      ASSERT_TRUE(HasToken(mask, found)) << "'" << c << "' at " << ids.size();
      ASSERT_TRUE(matcher.Accept(found).ok());
      ids.push_back(found);
    }
  }
}

TEST_P(TokenMatcherTest, EndTokensOnlyWhereTheOutputMayEnd) {
  ENIGMA_REQUIRE_DATA(path, GetParam());
  const std::unique_ptr<Tokenizer> tokenizer = Load(path);
  ASSERT_NE(tokenizer, nullptr);
  ConstraintCache cache(*tokenizer);
  const auto constraint = cache.Get(R"({"type":"integer"})");
  ASSERT_TRUE(constraint.ok());
  ASSERT_FALSE((*constraint)->trie().end_tokens().empty());
  const TokenId end = (*constraint)->trie().end_tokens().front();
  TokenMatcher matcher(*constraint);
  TokenBits mask;
  ASSERT_TRUE(matcher.FillMask(mask).ok());
  EXPECT_FALSE(HasToken(mask, end));
  EXPECT_FALSE(matcher.Accept(end).ok());
  TokenId digit = 0;
  while (tokenizer->TokenBytes(digit, false) != "7") ++digit;
  ASSERT_TRUE(matcher.Accept(digit).ok());
  ASSERT_TRUE(matcher.FillMask(mask).ok());
  EXPECT_TRUE(HasToken(mask, end));
  EXPECT_TRUE(HasToken(mask, digit));
  EXPECT_FALSE(matcher.MustEnd());
  ASSERT_TRUE(matcher.Accept(end).ok());
  EXPECT_TRUE(matcher.MustEnd());
}

TEST_P(TokenMatcherTest, SamplerKeepsToTheConstraint) {
  ENIGMA_REQUIRE_DATA(path, GetParam());
  const std::unique_ptr<Tokenizer> tokenizer = Load(path);
  ASSERT_NE(tokenizer, nullptr);
  ConstraintCache cache(*tokenizer);
  const auto constraint = cache.Get(R"({"type":"object","properties":{"ok":{"enum":[true,false]}},"required":["ok"]})");
  ASSERT_TRUE(constraint.ok());
  std::vector<float> logits(tokenizer->vocab_size() + 13);  // rows may be wider than the vocabulary
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(CounterUniform(9, 0, i) * 8);
  for (const float temperature : {0.0F, 1.0F}) {
    SamplingParams params;
    params.temperature = temperature;
    params.constraint = *constraint;
    Sampler sampler(params, {});
    std::string text;
    for (uint32_t i = 0; i < 60 && !sampler.Finished(); ++i) {
      const TokenId id = sampler.Sample(logits, i).id;
      sampler.Accept(id);
      ASSERT_TRUE(sampler.constraint_status().ok()) << sampler.constraint_status();
      text += tokenizer->TokenBytes(id, false);
    }
    if (!sampler.Finished()) continue;  // a greedy choice from fixed logits may indent for long
    const auto value = nlohmann::json::parse(text, nullptr, false);
    ASSERT_TRUE(value.is_object()) << text;
    EXPECT_TRUE(value["ok"].is_boolean()) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, TokenMatcherTest,
                         ::testing::Values("tokenizers/ggml-vocab-llama-spm.gguf", "tokenizers/ggml-vocab-gpt-2.gguf",
                                           "tokenizers/llama3/tokenizer.model"));

}  // namespace
}  // namespace enigma::engine
