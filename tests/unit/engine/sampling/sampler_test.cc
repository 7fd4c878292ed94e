#include "engine/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counter_random.h"

namespace enigma::engine {
namespace {

using Logits = std::vector<float>;

SamplingParams Greedy() {
  SamplingParams params;
  params.temperature = 0;
  return params;
}

// Draws at positions 0 .. count - 1, which are independent of each other.
std::map<TokenId, int> Histogram(const SamplingParams& params, const Logits& logits, int count) {
  Sampler sampler(params, {});
  std::map<TokenId, int> histogram;
  for (int i = 0; i < count; ++i) ++histogram[sampler.Sample(logits, static_cast<uint32_t>(i)).id];
  return histogram;
}

std::set<TokenId> Drawn(const SamplingParams& params, const Logits& logits) {
  std::set<TokenId> ids;
  for (const auto& [id, count] : Histogram(params, logits, 4000)) ids.insert(id);
  return ids;
}

Logits Probabilities(const std::vector<double>& probabilities) {
  Logits logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

TEST(SamplerTest, GreedyTakesTheLikeliestAndTheLowerIdOfTwo) {
  EXPECT_EQ(Sampler(Greedy(), {}).Sample(Logits{1, 5, 3}, 0).id, 1);
  EXPECT_EQ(Sampler(Greedy(), {}).Sample(Logits{1, 5, 5}, 0).id, 1);
}

TEST(SamplerTest, DrawsInProportion) {
  const auto histogram = Histogram({}, Probabilities({0.5, 0.3, 0.2}), 20000);
  EXPECT_NEAR(histogram.at(0), 10000, 300);
  EXPECT_NEAR(histogram.at(1), 6000, 300);
  EXPECT_NEAR(histogram.at(2), 4000, 300);
}

TEST(SamplerTest, TemperatureFlattensAndSharpens) {
  SamplingParams params;
  params.temperature = 0.5F;  // squares the odds: 0.64 to 0.36 of 4:3
  auto histogram = Histogram(params, Probabilities({4, 3}), 20000);
  EXPECT_NEAR(histogram.at(0), 12800, 300);
  params.temperature = 2.0F;
  histogram = Histogram(params, Probabilities({4, 1}), 20000);
  EXPECT_NEAR(histogram.at(0), 13333, 300);
}

TEST(SamplerTest, TopKKeepsTheBest) {
  SamplingParams params;
  params.top_k = 2;
  EXPECT_EQ(Drawn(params, Probabilities({0.2, 0.3, 0.1, 0.4})), (std::set<TokenId>{1, 3}));
}

TEST(SamplerTest, TopPKeepsTheShortestPrefixThatReachesIt) {
  SamplingParams params;
  const Logits logits = Probabilities({0.1, 0.5, 0.15, 0.25});
  params.top_p = 0.45F;
  EXPECT_EQ(Drawn(params, logits), (std::set<TokenId>{1}));
  params.top_p = 0.7F;
  EXPECT_EQ(Drawn(params, logits), (std::set<TokenId>{1, 3}));
  params.top_p = 0.95F;
  EXPECT_EQ(Drawn(params, logits), (std::set<TokenId>{0, 1, 2, 3}));
}

TEST(SamplerTest, TopPOverManyTokensEqualsAFullSort) {
  Logits logits;
  for (uint32_t i = 0; i < 5000; ++i) logits.push_back(static_cast<float>(CounterUniform(9, 1, i)));  // nearly flat
  std::vector<Candidate> partly;
  SelectTop(logits, 0, partly);
  const double total = Weigh(1.0F, 1.0, partly);
  std::vector<Candidate> wholly = partly;
  std::sort(wholly.begin(), wholly.end(), Better);
  KeepTopP(0.6, total, true, wholly);
  KeepTopP(0.6, total, false, partly);
  ASSERT_EQ(partly.size(), wholly.size());
  EXPECT_GT(partly.size(), 1000U);
  for (size_t i = 0; i < partly.size(); ++i) ASSERT_EQ(partly[i].id, wholly[i].id) << i;
}

TEST(SamplerTest, MinPDropsTheUnlikely) {
  SamplingParams params;
  params.min_p = 0.5F;
  EXPECT_EQ(Drawn(params, Probabilities({0.4, 0.25, 0.15, 0.2})), (std::set<TokenId>{0, 1}));
  params.min_p = 1.0F;
  EXPECT_EQ(Drawn(params, Probabilities({0.4, 0.25, 0.15, 0.2})), (std::set<TokenId>{0}));
}

TEST(SamplerTest, TopPActsOnWhatTopKLeft) {
  SamplingParams params;
  params.top_k = 2;
  params.top_p = 0.6F;  // of 0.3 / 0.55 and 0.25 / 0.55: the first alone does not reach it
  EXPECT_EQ(Drawn(params, Probabilities({0.3, 0.25, 0.23, 0.22})), (std::set<TokenId>{0, 1}));
  params.top_p = 0.54F;
  EXPECT_EQ(Drawn(params, Probabilities({0.3, 0.25, 0.23, 0.22})), (std::set<TokenId>{0}));
}

TEST(SamplerTest, RepetitionPenaltyCountsThePrompt) {
  SamplingParams params = Greedy();
  params.repetition_penalty = 2.0F;
  const std::vector<TokenId> prompt = {1};
  EXPECT_EQ(Sampler(params, prompt).Sample(Logits{3, 5, 1}, 1).id, 0);     // 5 / 2 < 3
  EXPECT_EQ(Sampler(params, prompt).Sample(Logits{-3, -2, -9}, 1).id, 0);  // -2 * 2 < -3
}

TEST(SamplerTest, FrequencyAndPresenceCountGeneratedTokensOnly) {
  SamplingParams params = Greedy();
  params.frequency_penalty = 1.0F;
  const std::vector<TokenId> prompt = {0, 0, 0};
  Sampler frequency(params, prompt);
  const Logits logits = {2.5F, 1.0F};
  for (const TokenId expected : {0, 0, 1}) {
    const TokenId id = frequency.Sample(logits, 3).id;
    EXPECT_EQ(id, expected);
    frequency.Accept(id);
  }
  params = Greedy();
  params.presence_penalty = 1.0F;
  Sampler presence(params, prompt);
  for (int i = 0; i < 5; ++i) presence.Accept(0);
  EXPECT_EQ(presence.Sample(logits, 8).id, 0);  // once, however often
}

TEST(SamplerTest, LogitBiasBansAndForces) {
  SamplingParams params = Greedy();
  params.logit_bias = {{1, -100.0F}, {2, 3.0F}};
  EXPECT_EQ(Sampler(params, {}).Sample(Logits{1, 50, 0}, 0).id, 2);
}

TEST(SamplerTest, NumbersDependOnSeedChoiceAndPosition) {
  const Logits flat(1000, 0.0F);
  SamplingParams params;
  const auto draw = [&](uint64_t seed, uint32_t choice, uint32_t position) {
    params.seed = seed;
    return Sampler(params, {}, choice).Sample(flat, position).id;
  };
  EXPECT_EQ(draw(1, 0, 7), draw(1, 0, 7));
  EXPECT_NE(draw(1, 0, 7), draw(2, 0, 7));
  EXPECT_NE(draw(1, 0, 7), draw(1, 1, 7));
  EXPECT_NE(draw(1, 0, 7), draw(1, 0, 8));
}

TEST(SamplerTest, ARebuiltSamplerContinuesAlike) {
  SamplingParams params;
  params.repetition_penalty = 1.3F;
  params.frequency_penalty = 0.5F;
  const std::vector<TokenId> prompt = {3, 4};
  Logits logits;
  for (uint32_t i = 0; i < 50; ++i) logits.push_back(static_cast<float>(CounterUniform(4, 0, i) * 4));
  Sampler first(params, prompt);
  std::vector<TokenId> ids;
  for (uint32_t i = 0; i < 20; ++i) {
    ids.push_back(first.Sample(logits, 2 + i).id);
    first.Accept(ids.back());
  }
  Sampler second(params, prompt);
  for (int i = 0; i < 10; ++i) second.Accept(ids[static_cast<size_t>(i)]);
  for (uint32_t i = 10; i < 20; ++i) {
    EXPECT_EQ(second.Sample(logits, 2 + i).id, ids[i]);
    second.Accept(ids[i]);
  }
}

TEST(SamplerTest, LogprobsAreOfTheModelsOwnDistribution) {
  SamplingParams params = Greedy();
  params.top_logprobs = 2;
  params.logit_bias = {{0, -100.0F}};
  const auto choice = Sampler(params, {}).Sample(Probabilities({0.6, 0.1, 0.3}), 0);
  EXPECT_EQ(choice.id, 2);
  EXPECT_NEAR(choice.logprob, std::log(0.3), 1e-6);
  ASSERT_EQ(choice.top.size(), 2U);
  EXPECT_EQ(choice.top[0].first, 0);
  EXPECT_NEAR(choice.top[0].second, std::log(0.6), 1e-6);
  EXPECT_EQ(choice.top[1].first, 2);
}

TEST(CheckSamplingParamsTest, NamesTheFieldThatIsWrong) {
  const auto message = [](const auto& change) {
    SamplingParams params;
    change(params);
    return std::string(CheckSamplingParams(params, 100).message());
  };
  EXPECT_EQ(message([](SamplingParams&) {}), "");
  EXPECT_THAT(message([](SamplingParams& p) { p.temperature = -1; }), ::testing::HasSubstr("temperature is -1"));
  EXPECT_THAT(message([](SamplingParams& p) { p.temperature = NAN; }), ::testing::HasSubstr("temperature"));
  EXPECT_THAT(message([](SamplingParams& p) { p.top_p = 0; }), ::testing::HasSubstr("top_p is 0, must be in (0, 1]"));
  EXPECT_THAT(message([](SamplingParams& p) { p.min_p = 1.5F; }), ::testing::HasSubstr("min_p"));
  EXPECT_THAT(message([](SamplingParams& p) { p.repetition_penalty = 0; }), ::testing::HasSubstr("repetition_penalty"));
  EXPECT_THAT(message([](SamplingParams& p) { p.frequency_penalty = 3; }), ::testing::HasSubstr("frequency_penalty"));
  EXPECT_THAT(message([](SamplingParams& p) { p.presence_penalty = -3; }), ::testing::HasSubstr("presence_penalty"));
  EXPECT_THAT(message([](SamplingParams& p) { p.logit_bias = {{100, 1.0F}}; }), ::testing::HasSubstr("token 100"));
  EXPECT_THAT(message([](SamplingParams& p) { p.logit_bias = {{5, 101.0F}}; }), ::testing::HasSubstr("logit_bias"));
  EXPECT_THAT(message([](SamplingParams& p) { p.max_tokens = 0; }), ::testing::HasSubstr("max_tokens"));
  EXPECT_THAT(message([](SamplingParams& p) { p.top_logprobs = 21; }), ::testing::HasSubstr("top_logprobs"));
  EXPECT_THAT(message([](SamplingParams& p) { p.stop.assign(17, "x"); }), ::testing::HasSubstr("stop has 17"));
}

}  // namespace
}  // namespace enigma::engine
