// Really trained models against outputs computed in float64 (models/reference_outputs.json of the shared data).
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/sampling/local_generator.h"
#include "tests/conformance/pipeline.h"
#include "tests/support/test_data.h"

namespace enigma::engine::testing {
namespace {

class TrainedModelTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ENIGMA_REQUIRE_DATA(model, "models/" + GetParam() + "-f32.gguf");
    ENIGMA_REQUIRE_DATA(outputs, "models/reference_outputs.json");
    path_ = model;
    const auto json = nlohmann::json::parse(enigma::testing::ReadFileOrDie(outputs));
    for (const auto& [name, entry] : json.items()) {
      if (name.starts_with(GetParam())) expected_ = entry;
    }
    ASSERT_TRUE(expected_.contains("cases"));
  }

  static std::vector<TokenId> Ids(const nlohmann::json& ids) { return ids.get<std::vector<TokenId>>(); }

  std::string path_;
  nlohmann::json expected_;
};

TEST_P(TrainedModelTest, PromptIds) {
  auto generator = LocalGenerator::Open(path_, {});
  ASSERT_TRUE(generator.ok()) << generator.status();
  for (const auto& item : expected_["cases"]) {
    const auto ids = (*generator)->tokenizer().Encode(item["prompt"].get<std::string>(), {.add_special = true});
    EXPECT_EQ(ids, Ids(item["prompt_ids"]));
  }
}

TEST_P(TrainedModelTest, TopFiveLogitsAfterThePrompt) {
  Pipeline pipeline(path_, {});
  int sequence = 0;
  for (const auto& item : expected_["cases"]) {
    const auto row = pipeline.Step(sequence++, Ids(item["prompt_ids"]));
    std::vector<std::pair<float, TokenId>> order;
    for (size_t i = 0; i < row.logits.size(); ++i) order.emplace_back(-row.logits[i], static_cast<TokenId>(i));
    std::sort(order.begin(), order.end());
    for (size_t i = 0; i < item["top5_after_prompt"].size(); ++i) {
      EXPECT_EQ(order[i].second, item["top5_after_prompt"][i][0].get<TokenId>());
      EXPECT_NEAR(-order[i].first, item["top5_after_prompt"][i][1].get<double>(), 1e-3);
    }
  }
}

TEST_P(TrainedModelTest, GreedyIdsAndText) {
  for (const uint32_t chunk : {512U, 7U, 1U}) {
    auto generator = LocalGenerator::Open(path_, {.prefill_chunk = chunk});
    ASSERT_TRUE(generator.ok()) << generator.status();
    for (const auto& item : expected_["cases"]) {
      const std::vector<TokenId> prompt = Ids(item["prompt_ids"]);
      std::vector<TokenId> expected = Ids(item["greedy_ids"]);
      ASSERT_TRUE(std::equal(prompt.begin(), prompt.end(), expected.begin()));
      expected.erase(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(prompt.size()));
      SamplingParams params;
      params.temperature = 0;
      params.max_tokens = static_cast<uint32_t>(expected.size());
      params.ignore_eos = true;
      for (const TokenId banned : Ids(item["banned_ids"])) params.logit_bias.emplace_back(banned, -100.0F);
      std::string streamed;
      const auto result = (*generator)->Generate(prompt, params, [&](std::string_view text) {
        streamed += text;
        return true;
      });
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->ids, expected);
      EXPECT_EQ(result->finish_reason, "length");
      EXPECT_EQ(result->text, streamed);
      const auto whole = item["greedy_text"].get<std::string>();
      EXPECT_TRUE(whole.ends_with(result->text)) << result->text;
    }
  }
}

// Negative log likelihood per token of the first `chars` characters of a text, in windows of 255 ids behind a BOS each;
// a last window that is not full is left out.
double MeanNll(const std::string& model, const std::string& text) {
  constexpr size_t kWindow = 255;
  const auto weights = OpenGgufWeights(model);
  const auto tokenizer = Tokenizer::FromGguf((*weights)->head().metadata());
  Pipeline pipeline(model, {});
  const std::vector<TokenId> ids = (*tokenizer)->Encode(text, {});
  double nll = 0;
  size_t tokens = 0;
  for (size_t begin = 0; begin + kWindow <= ids.size(); begin += kWindow) {
    TokenId token = *(*tokenizer)->bos();
    for (size_t i = begin; i < begin + kWindow; ++i) {
      const std::vector<float> logits = pipeline.Step(0, {token}).logits;
      double sum = 0;
      for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
      token = ids[i];
      nll += std::log(sum) - static_cast<double>(logits[static_cast<size_t>(token)]);
      ++tokens;
    }
    pipeline.End(0);
  }
  return nll / static_cast<double>(tokens);
}

TEST_P(TrainedModelTest, MeanNegativeLogLikelihood) {
  if (!expected_.contains("tinystories_sample")) GTEST_SKIP() << "no likelihoods are known for " << GetParam();
  ENIGMA_REQUIRE_DATA(stories, "text/tinystories_sample_944KB.txt");
  ENIGMA_REQUIRE_DATA(shakespeare, "text/tinyshakespeare.txt");
  const auto chars = expected_["tinystories_sample"]["chars"].get<size_t>();
  EXPECT_NEAR(MeanNll(path_, enigma::testing::ReadFileOrDie(stories).substr(0, chars)),
              expected_["tinystories_sample"]["mean_nll_per_token"].get<double>(), 2e-5);
  EXPECT_NEAR(MeanNll(path_, enigma::testing::ReadFileOrDie(shakespeare).substr(0, 4000)),
              expected_["tinyshakespeare_4000chars_mean_nll"].get<double>(), 2e-5);
}

INSTANTIATE_TEST_SUITE_P(Models, TrainedModelTest, ::testing::Values("stories260K", "aidreams260K"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace enigma::engine::testing
