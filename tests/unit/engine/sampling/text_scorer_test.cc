// Likelihoods of a text, against one token at a time and against figures that were computed elsewhere in float64.
#include "engine/sampling/text_scorer.h"

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/kv_cache/block_table.h"
#include "engine/sampling/score_windows.h"
#include "tests/support/edited_model.h"
#include "tests/support/process.h"
#include "tests/support/synthetic_models.h"
#include "tests/support/test_data.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

TEST(ScoreWindows, AreThoseOfTheTable) {
  using Windows = std::vector<ScoreWindow>;
  const struct {
    uint64_t tokens;
    uint32_t context, stride;
    bool has_begin;
    Windows expected;
  } cases[] = {
      {5, 8, 8, true, {{0, 0, 5}}},
      {8, 8, 8, true, {{0, 0, 8}}},
      {9, 8, 8, true, {{0, 0, 8}, {8, 8, 9}}},
      {9, 8, 8, false, {{0, 1, 9}}},
      {10, 8, 8, false, {{0, 1, 9}, {8, 9, 10}}},
      {10, 4, 2, true, {{0, 0, 4}, {2, 4, 6}, {4, 6, 8}, {6, 8, 10}}},
      {8, 4, 2, false, {{0, 1, 5}, {2, 5, 7}, {4, 7, 8}}},
      {3, 1, 1, true, {{0, 0, 1}, {1, 1, 2}, {2, 2, 3}}},
      {3, 1, 1, false, {{0, 1, 2}, {1, 2, 3}}},
      {1, 8, 8, true, {{0, 0, 1}}},
  };
  for (const auto& test : cases) {
    const auto windows = ScoreWindows(test.tokens, test.context, test.stride, test.has_begin);
    ASSERT_TRUE(windows.ok()) << windows.status();
    EXPECT_EQ(*windows, test.expected) << test.tokens << " " << test.context << " " << test.stride;
  }
}

TEST(ScoreWindows, ScoreEveryIdOnceWithinTheContext) {
  for (const bool has_begin : {false, true}) {
    for (uint32_t context = 1; context <= 9; ++context) {
      for (uint32_t stride = 1; stride <= context; ++stride) {
        for (uint64_t tokens = has_begin ? 1 : 2; tokens < 40; ++tokens) {
          const auto windows = ScoreWindows(tokens, context, stride, has_begin);
          ASSERT_TRUE(windows.ok()) << windows.status();
          uint64_t next = has_begin ? 0 : 1;
          for (const ScoreWindow& window : *windows) {
            EXPECT_EQ(window.scored, next);
            const uint64_t reads = window.end - 1 - window.first + (has_begin ? 1 : 0);
            EXPECT_TRUE(reads >= 1 && reads <= context);
            EXPECT_GT(window.end, window.scored);
            next = window.end;
          }
          EXPECT_EQ(next, tokens);
        }
      }
    }
  }
}

TEST(ScoreWindows, NeedSomethingToScoreAndAStrideThatFits) {
  EXPECT_THAT(std::string(ScoreWindows(0, 8, 8, true).status().message()), HasSubstr("nothing to score"));
  EXPECT_THAT(std::string(ScoreWindows(1, 8, 8, false).status().message()), HasSubstr("nothing to score"));
  EXPECT_FALSE(ScoreWindows(9, 8, 9, true).ok());
  EXPECT_FALSE(ScoreWindows(9, 8, 0, true).ok());
}

// One token at a time, with no windows but those that the arguments say.
class DirectScorer {
 public:
  explicit DirectScorer(const std::string& path) : pool_(1), weights_(*OpenGgufWeights(path)) {
    Stage::Options options;
    options.kv_blocks = BlocksFor(kContext);
    options.context = kContext;
    options.kv_type = DefaultKvType(weights_->head());
    stage_ = *Stage::Create(*weights_, options, pool_);
    blocks_.resize(BlocksFor(kContext));
    std::iota(blocks_.begin(), blocks_.end(), 0U);
  }

  // -ln of the probability of `wanted` behind `read`.
  double Nll(const std::vector<TokenId>& read, TokenId wanted) {
    std::vector<float> logits;
    for (uint32_t i = 0; i < read.size(); ++i) {
      Batch batch;
      batch.tokens = {read[i]};
      batch.runs.push_back({.first = i, .count = 1, .blocks = blocks_, .logits = true});
      const auto output = stage_->Forward(batch);
      EXPECT_TRUE(output.ok()) << output.status();
      logits.assign(output->logits.begin(), output->logits.end());
    }
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    return std::log(sum) - static_cast<double>(logits[static_cast<size_t>(wanted)]);
  }

 private:
  static constexpr uint32_t kContext = 64;
  ThreadPool pool_;
  std::unique_ptr<WeightSource> weights_;
  std::unique_ptr<Stage> stage_;
  std::vector<uint32_t> blocks_;
};

TextScorer::Score ScoreOf(const std::string& path, const TextScorer::Options& options, const std::vector<TokenId>& ids,
                          bool* has_begin = nullptr) {
  auto scorer = TextScorer::Open(path, options);
  EXPECT_TRUE(scorer.ok()) << scorer.status();
  if (!scorer.ok()) return {};
  if (has_begin != nullptr) *has_begin = (*scorer)->has_begin();
  const auto score = (*scorer)->ScoreIds(ids, nullptr);
  EXPECT_TRUE(score.ok()) << score.status();
  return score.ok() ? *score : TextScorer::Score{};
}

// Each id behind as many before it as its window holds.
void ExpectAsDirect(const std::string& path, uint32_t context, uint32_t stride, const std::vector<TokenId>& ids) {
  bool has_begin = false;
  const auto score = ScoreOf(path, {.context = context, .stride = stride}, ids, &has_begin);
  const auto tokenizer = Tokenizer::FromGguf((*OpenGgufWeights(path))->head().metadata());
  const size_t unscored = has_begin ? 0 : 1;
  DirectScorer direct(path);
  double nll = 0;
  for (size_t i = unscored; i < ids.size(); ++i) {
    // Of the first window all before it; of a later one what came before the window's first scored id, and since.
    const size_t since = i - unscored;
    const size_t before = since < context ? i : unscored + (context - stride) + (since - context) % stride;
    std::vector<TokenId> read(ids.begin() + static_cast<ptrdiff_t>(i - before),
                              ids.begin() + static_cast<ptrdiff_t>(i));
    if (has_begin) read.insert(read.begin(), *(*tokenizer)->bos());
    nll += direct.Nll(read, ids[i]);
  }
  EXPECT_EQ(score.scored, ids.size() - unscored);
  EXPECT_NEAR(score.nll, nll, 1e-9 * nll) << context << " " << stride;
}

std::vector<TokenId> SomeIds(size_t count) {
  std::vector<TokenId> ids;
  for (size_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>(3 + (i * i * 7 + i) % 200));
  return ids;
}

TEST(TextScorer, AgreesWithOneTokenAtATime) {
  const std::string path = enigma::testing::SyntheticModelPath("tiny", "q8_0");
  EXPECT_TRUE((*TextScorer::Open(path, {}))->has_begin());
  for (const auto& [context, stride] : {std::pair{16U, 16U}, {16U, 5U}, {7U, 1U}, {40U, 40U}}) {
    ExpectAsDirect(path, context, stride, SomeIds(37));
  }
}

TEST(TextScorer, AgreesWithOneTokenAtATimeWithoutABeginToken) {
  const enigma::testing::TemporaryDirectory folder;
  const std::string path = folder.path() + "/m.gguf";
  enigma::testing::EditModel(enigma::testing::SyntheticModelPath("tiny", "q8_0"), path,
                             [](auto& model) { model.metadata.Set("tokenizer.ggml.add_bos_token", false); });
  EXPECT_FALSE((*TextScorer::Open(path, {}))->has_begin());
  for (const auto& [context, stride] : {std::pair{16U, 16U}, {16U, 5U}, {7U, 1U}, {40U, 40U}}) {
    ExpectAsDirect(path, context, stride, SomeIds(37));
  }
}

TEST(TextScorer, DoesNotDependOnThreadsNorOnSteps) {
  const std::string path = enigma::testing::SyntheticModelPath("tiny", "q8_0");
  const std::vector<TokenId> ids = SomeIds(300);  // a window of 300 takes several steps
  const auto one = ScoreOf(path, {.threads = 1, .context = 300}, ids);
  const auto three = ScoreOf(path, {.threads = 3, .context = 300}, ids);
  EXPECT_EQ(one.nll, three.nll);
  EXPECT_EQ(one.windows, 1U);
}

TEST(TextScorer, RefusesWhatCannotBeScored) {
  const std::string path = enigma::testing::SyntheticModelPath("tiny", "q8_0");
  EXPECT_FALSE(TextScorer::Open(path, {.context = 8, .stride = 9}).ok());
  EXPECT_FALSE(TextScorer::Open("/nonexistent", {}).ok());
  auto scorer = TextScorer::Open(path, {.context = 8});
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  EXPECT_THAT(std::string((*scorer)->ScoreIds(std::vector<TokenId>{}, nullptr).status().message()),
              HasSubstr("nothing to score"));
  EXPECT_THAT(std::string((*scorer)->ScoreIds(std::vector<TokenId>{1, 2, 10'000'000}, nullptr).status().message()),
              HasSubstr("token id 10000000"));
}

// models/reference_outputs.json: means in windows of 255 ids behind a begin token each.
TEST(TextScorer, GivesTheLikelihoodsThatWereComputedElsewhere) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  ENIGMA_REQUIRE_DATA(outputs, "models/reference_outputs.json");
  ENIGMA_REQUIRE_DATA(stories, "text/tinystories_sample_944KB.txt");
  ENIGMA_REQUIRE_DATA(shakespeare, "text/tinyshakespeare.txt");
  const auto json = nlohmann::json::parse(enigma::testing::ReadFileOrDie(outputs));
  nlohmann::json expected;
  for (const auto& [name, entry] : json.items()) {
    if (name.starts_with("stories260K")) expected = entry;
  }
  const auto tokenizer = Tokenizer::FromGguf((*OpenGgufWeights(model))->head().metadata());
  const auto mean = [&](std::string text) {
    std::vector<TokenId> ids = (*tokenizer)->Encode(text, {});
    ids.resize(ids.size() / 255 * 255);  // a last window that is not full was left out
    const auto score = ScoreOf(model, {.threads = 2, .context = 255}, ids);
    EXPECT_EQ(score.scored, ids.size());
    return score.nll / static_cast<double>(score.scored);
  };
  const auto& sample = expected.at("tinystories_sample");
  EXPECT_NEAR(mean(enigma::testing::ReadFileOrDie(stories).substr(0, sample.at("chars").get<size_t>())),
              sample.at("mean_nll_per_token").get<double>(), 2e-5);
  EXPECT_NEAR(mean(enigma::testing::ReadFileOrDie(shakespeare).substr(0, 4000)),
              expected.at("tinyshakespeare_4000chars_mean_nll").get<double>(), 2e-5);
}

}  // namespace
}  // namespace enigma::engine
