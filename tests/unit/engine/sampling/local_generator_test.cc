#include "engine/sampling/local_generator.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/sampling/engine_bench.h"
#include "engine/text/picture_prompt.h"
#include "tests/support/synthetic_models.h"
#include "tests/support/test_data.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

SamplingParams GreedyParams(uint32_t max_tokens) {
  SamplingParams params;
  params.temperature = 0;
  params.max_tokens = max_tokens;
  return params;
}

class LocalGeneratorTest : public ::testing::Test {
 protected:
  void Open(const std::string& path, const LocalGenerator::Options& options) {
    auto generator = LocalGenerator::Open(path, options);
    ASSERT_TRUE(generator.ok()) << generator.status();
    generator_ = *std::move(generator);
  }
  void OpenTiny(uint32_t context) { Open(enigma::testing::SyntheticModelPath("tiny", "q8_0"), {.context = context}); }

  std::unique_ptr<LocalGenerator> generator_;
};

TEST_F(LocalGeneratorTest, RefusesAPromptThatFillsTheContext) {
  OpenTiny(20);
  const auto result = generator_->Generate(std::vector<TokenId>(20, 7), GreedyParams(5), nullptr);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("20 tokens, the context is 20"));
}

TEST_F(LocalGeneratorTest, EndsAtTheContext) {
  OpenTiny(20);
  SamplingParams params = GreedyParams(100);
  params.ignore_eos = true;
  const auto result = generator_->Generate(std::vector<TokenId>(15, 7), params, nullptr);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->ids.size(), 5U);
  EXPECT_EQ(result->finish_reason, "length");
}

TEST_F(LocalGeneratorTest, RefusesPromptsThatNameNothing) {
  OpenTiny(20);
  EXPECT_THAT(std::string(generator_->Generate({}, GreedyParams(5), nullptr).status().message()), HasSubstr("empty"));
  EXPECT_THAT(std::string(generator_->Generate({1, 100000}, GreedyParams(5), nullptr).status().message()),
              HasSubstr("token id 100000"));
  SamplingParams params = GreedyParams(5);
  params.top_p = 2;
  EXPECT_THAT(std::string(generator_->Generate({1}, params, nullptr).status().message()), HasSubstr("top_p"));
}

TEST_F(LocalGeneratorTest, RowsThatAreGivenStandAmongTokensInAnyChunks) {
  const std::string path = enigma::testing::SyntheticModelPath("tiny", "f32");
  const auto weights = OpenGgufWeights(path);
  ASSERT_TRUE(weights.ok()) << weights.status();
  const auto table = (*weights)->Tensor("token_embd.weight");
  ASSERT_TRUE(table.ok()) << table.status();
  const auto* rows = reinterpret_cast<const float*>(table->data.data());
  const std::vector<TokenId> tokens = {5, 9, 12, 7, 30, 31};
  std::vector<TokenId> prompt = tokens;
  std::vector<float> given;
  const size_t hidden = table->info->shape[0];
  for (const size_t at : {1, 2, 4}) {
    prompt[at] = kGivenRow;
    const float* row = rows + static_cast<size_t>(tokens[at]) * hidden;
    given.insert(given.end(), row, row + hidden);
  }
  Open(path, {.context = 40});
  const auto expected = generator_->Generate(tokens, GreedyParams(8), nullptr);
  ASSERT_TRUE(expected.ok()) << expected.status();
  for (const uint32_t chunk : {1U, 2U, 5U, 64U}) {
    Open(path, {.context = 40, .prefill_chunk = chunk});
    const auto result = generator_->Generate(prompt, GreedyParams(8), nullptr, given);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->ids, expected->ids) << chunk;
  }
  const auto few = generator_->Generate(prompt, GreedyParams(8), nullptr, std::span(given).first(hidden));
  EXPECT_EQ(few.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(few.status().message()), HasSubstr("places for 3 rows"));
}

TEST(PicturePromptTest, RowsStandBehindTheBeginToken) {
  const auto file = GgufFile::Open(enigma::testing::SyntheticModelPath("tiny", "f32"));
  ASSERT_TRUE(file.ok()) << file.status();
  const auto tokenizer = Tokenizer::FromGguf((*file)->metadata());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::vector<TokenId> expected;
  const auto plain = (*tokenizer)->Encode("a", {.add_special = true});
  if ((*tokenizer)->bos() == plain.front()) expected.push_back(plain.front());
  expected.insert(expected.end(), 3, kGivenRow);
  EXPECT_EQ(PicturePrompt(**tokenizer, 3, ""), expected);
  const auto text = (*tokenizer)->Encode("what", {});
  expected.insert(expected.end(), text.begin(), text.end());
  EXPECT_EQ(PicturePrompt(**tokenizer, 3, "what"), expected);
}

TEST_F(LocalGeneratorTest, StopsWhenTheListenerHasEnough) {
  OpenTiny(0);
  SamplingParams params = GreedyParams(200);
  params.ignore_eos = true;
  const auto result = generator_->Generate({1, 40, 50}, params, [](std::string_view) { return false; });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->finish_reason, "cancelled");
  EXPECT_LT(result->ids.size(), 200U);
}

TEST_F(LocalGeneratorTest, SeedsRepeatAndDiffer) {
  OpenTiny(0);
  const auto ids = [&](uint64_t seed) {
    SamplingParams params;
    params.seed = seed;
    params.max_tokens = 16;
    params.ignore_eos = true;
    return generator_->Generate({1, 2, 3}, params, nullptr)->ids;
  };
  EXPECT_EQ(ids(5), ids(5));
  EXPECT_NE(ids(5), ids(6));
}

TEST_F(LocalGeneratorTest, EndsBeforeAStopString) {
  ENIGMA_REQUIRE_DATA(path, "models/stories260K-f32.gguf");
  Open(path, {});
  SamplingParams params = GreedyParams(60);
  params.stop = {"little girl"};
  const auto prompt = generator_->tokenizer().Encode("Once upon a time", {.add_special = true});
  std::string streamed;
  const auto result = generator_->Generate(prompt, params, [&](std::string_view text) {
    streamed += text;
    return true;
  });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->text, ", there was a ");
  EXPECT_EQ(streamed, result->text);
  EXPECT_EQ(result->finish_reason, "stop");
}

TEST(EngineBenchTest, MeasuresEveryRepetition) {
  const auto result = RunEngineBench(enigma::testing::SyntheticModelPath("tiny", "q4_0"),
                                     {.prompt_tokens = 20, .generated_tokens = 5, .repetitions = 3});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->prefill_tps.size(), 3U);
  EXPECT_EQ(result->decode_tps.size(), 3U);
  EXPECT_GT(Median(result->prefill_tps), 0);
  EXPECT_GT(result->weight_bytes, 0U);
}

TEST(EngineBenchTest, RefusesMoreThanTheContext) {
  const auto result = RunEngineBench(enigma::testing::SyntheticModelPath("tiny", "q4_0"), {.prompt_tokens = 100000});
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("100000 tokens do not fit"));
}

TEST(MedianTest, IsTheMiddle) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(Median({}), 0);
}

}  // namespace
}  // namespace enigma::engine
