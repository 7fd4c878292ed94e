#include "engine/sampling/local_generator.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/sampling/engine_bench.h"
#include "tests/support/synthetic_models.h"
#include "tests/support/test_data.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

SamplingParams Greedy(uint32_t max_tokens) {
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
  const auto result = generator_->Generate(std::vector<TokenId>(20, 7), Greedy(5), nullptr);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("20 tokens, the context is 20"));
}

TEST_F(LocalGeneratorTest, EndsAtTheContext) {
  OpenTiny(20);
  SamplingParams params = Greedy(100);
  params.ignore_eos = true;
  const auto result = generator_->Generate(std::vector<TokenId>(15, 7), params, nullptr);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->ids.size(), 5U);
  EXPECT_EQ(result->finish_reason, "length");
}

TEST_F(LocalGeneratorTest, RefusesPromptsThatNameNothing) {
  OpenTiny(20);
  EXPECT_THAT(std::string(generator_->Generate({}, Greedy(5), nullptr).status().message()), HasSubstr("empty"));
  EXPECT_THAT(std::string(generator_->Generate({1, 100000}, Greedy(5), nullptr).status().message()),
              HasSubstr("token id 100000"));
  SamplingParams params = Greedy(5);
  params.top_p = 2;
  EXPECT_THAT(std::string(generator_->Generate({1}, params, nullptr).status().message()), HasSubstr("top_p"));
}

TEST_F(LocalGeneratorTest, StopsWhenTheListenerHasEnough) {
  OpenTiny(0);
  SamplingParams params = Greedy(200);
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
  SamplingParams params = Greedy(60);
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
