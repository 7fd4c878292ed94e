// The numeric contract (docs/numerics.md): a request gives the same tokens and the same bits of the hidden state
// however the model is cut, with whomever it shares a step, however its prompt is chunked, on any number of threads and
// on every instruction set.
#include <cmath>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "engine/kernels/cpu_target.h"
#include "tests/conformance/pipeline.h"
#include "tests/support/synthetic_models.h"

namespace enigma::engine::testing {
using ::enigma::testing::TestModel;

namespace {

constexpr size_t kAnswerTokens = 24;

std::vector<TokenId> Prompt(size_t tokens, uint32_t vocab, uint64_t seed) {
  std::vector<TokenId> prompt;
  for (size_t i = 0; i < tokens; ++i) prompt.push_back(static_cast<TokenId>(CounterUniform(seed, 0, i) * vocab));
  return prompt;
}

void ExpectSame(const Transcript& actual, const Transcript& expected) {
  EXPECT_EQ(actual.ids, expected.ids);
  ASSERT_EQ(actual.hidden.size(), expected.hidden.size());
  for (size_t i = 0; i < actual.hidden.size(); ++i) {
    EXPECT_EQ(actual.hidden[i], expected.hidden[i]) << "hidden state behind generated token " << i;
  }
}

class LayoutTest : public ::testing::TestWithParam<TestModel> {
 protected:
  void SetUp() override {
    ENIGMA_REQUIRE_MODEL(path, GetParam());
    path_ = path;
    Pipeline plain(path_, {});
    prompt_ = Prompt(45, plain.spec().vocab, 1);
    expected_ = Answer(plain, 0, prompt_, kAnswerTokens, 0);
  }

  Transcript Run(const Pipeline::Options& options, size_t chunk) {
    Pipeline pipeline(path_, options);
    return Answer(pipeline, 0, prompt_, kAnswerTokens, chunk);
  }

  std::string path_;
  std::vector<TokenId> prompt_;
  Transcript expected_;  // one stage, one thread, alone, prefilled whole
};

TEST_P(LayoutTest, HiddenStatesAreFiniteAndVary) {
  EXPECT_NE(expected_.hidden.front(), expected_.hidden.back());
  for (const float v : expected_.hidden.back()) EXPECT_TRUE(std::isfinite(v));
}

TEST_P(LayoutTest, AnyNumberOfStages) {
  for (const uint32_t stages : {2U, 3U, 5U}) {
    if (stages > Pipeline(path_, {}).spec().layer_count()) continue;
    SCOPED_TRACE(stages);
    ExpectSame(Run({.stages = stages}, 0), expected_);
  }
}

TEST_P(LayoutTest, AnyChunking) {
  for (const size_t chunk : {size_t{7}, size_t{1}, size_t{32}}) {
    SCOPED_TRACE(chunk);
    ExpectSame(Run({}, chunk), expected_);
  }
}

TEST_P(LayoutTest, TwoThreads) {
  ExpectSame(Run({.threads = 2}, 0), expected_);
  ExpectSame(Run({.threads = 2}, 7), expected_);
}

TEST_P(LayoutTest, EveryInstructionSet) {
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    SCOPED_TRACE(CpuTargetName());
    ExpectSame(Run({}, 0), expected_);
    ExpectSame(Run({}, 1), expected_);
  }
  ForceCpuTarget(0);
}

TEST_P(LayoutTest, EverythingAtOnce) {
  const uint32_t stages = std::min(Pipeline(path_, {}).spec().layer_count(), 5U);
  ExpectSame(Run({.stages = stages, .threads = 2}, 7), expected_);
}

TEST_P(LayoutTest, ReplayedAsPrefill) {
  // What failover does: prompt and the tokens made so far go in as one prompt.
  std::vector<TokenId> replay = prompt_;
  const size_t done = kAnswerTokens / 2;
  replay.insert(replay.end(), expected_.ids.begin(), expected_.ids.begin() + done);
  Pipeline pipeline(path_, {.stages = 2});
  const Transcript rest = Answer(pipeline, 0, replay, kAnswerTokens - done, 16);
  for (size_t i = 0; i < rest.ids.size(); ++i) {
    EXPECT_EQ(rest.ids[i], expected_.ids[done + i]);
    EXPECT_EQ(rest.hidden[i], expected_.hidden[done + i]) << i;
  }
}

TEST_P(LayoutTest, AmongEightSequencesInRaggedBatches) {
  for (const int threads : {1, 2}) {
    Pipeline pipeline(path_, {.stages = 2, .threads = threads});
    constexpr int kSequences = 8;
    constexpr int kWatched = 5;
    // Every sequence has its own length and pace: some decode while others are still prefilled.
    std::vector<std::vector<TokenId>> pending;
    for (int s = 0; s < kSequences; ++s) {
      pending.push_back(s == kWatched ? prompt_ : Prompt(9 + 11 * s, pipeline.spec().vocab, 100 + s));
    }
    Transcript watched;
    while (watched.ids.size() < kAnswerTokens) {
      std::vector<Pipeline::Work> step;
      for (int s = 0; s < kSequences; ++s) {
        std::vector<TokenId>& left = pending[s];
        const size_t take = std::min<size_t>(left.size(), 3 + 2 * s);
        step.push_back({.sequence = s, .tokens = {left.begin(), left.begin() + take}, .logits = take == left.size()});
        left.erase(left.begin(), left.begin() + take);
      }
      const auto rows = pipeline.Step(step);
      size_t row = 0;
      for (int s = 0; s < kSequences; ++s) {
        if (!step[s].logits) continue;
        const TokenId id = Likeliest(rows[row].logits);
        if (s == kWatched) {
          watched.ids.push_back(id);
          watched.hidden.push_back(rows[row].hidden);
        }
        pending[s] = {id};
        ++row;
      }
    }
    ExpectSame(watched, expected_);
  }
}

TEST_P(LayoutTest, InBlocksThatOthersLeftDirty) {
  Pipeline pipeline(path_, {.kv_blocks = 4});
  for (int s = 1; s <= 3; ++s) {
    Answer(pipeline, s, Prompt(90, pipeline.spec().vocab, 50 + s), 2, 0);
    pipeline.End(s);
  }
  ExpectSame(Answer(pipeline, 0, prompt_, kAnswerTokens, 7), expected_);
}

TEST_P(LayoutTest, EveryKvTypeIsFreeOfLayout) {
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kQ8}) {
    SCOPED_TRACE(static_cast<int>(type));
    const Transcript whole = Run({.kv_type = type}, 0);
    ExpectSame(Run({.kv_type = type}, 1), whole);
    ExpectSame(Run({.stages = 2, .threads = 2, .kv_type = type}, 7), whole);
  }
}

// What an embedding is, written down once more: hidden states of a whole pass, added up in double.
std::vector<float> PlainlyPooled(Pipeline& pipeline, const std::vector<TokenId>& text, Pooling pooling) {
  pipeline.Step({{.sequence = 0, .tokens = text, .logits = false, .states = static_cast<uint32_t>(text.size())}});
  const std::vector<float>& states = pipeline.states();
  const size_t width = pipeline.spec().hidden;
  EXPECT_EQ(states.size(), text.size() * width);
  std::vector<float> vector(width);
  for (size_t i = 0; i < width; ++i) {
    double sum = 0;
    for (size_t t = 0; t < text.size(); ++t) sum += states[t * width + i];
    vector[i] = pooling == Pooling::kLast ? states[(text.size() - 1) * width + i]
                                          : static_cast<float>(sum / static_cast<double>(text.size()));
  }
  double square = 0;
  for (const float v : vector) square += double{v} * double{v};
  for (float& v : vector) v = static_cast<float>(v / std::sqrt(square));
  return vector;
}

TEST_P(LayoutTest, HiddenStatesOfAWholePassAreThoseBehindEachToken) {
  Pipeline whole(path_, {});
  whole.Step({{.sequence = 0, .tokens = prompt_, .logits = true, .states = static_cast<uint32_t>(prompt_.size())}});
  const std::vector<float> states = whole.states();
  Pipeline steps(path_, {});
  for (size_t i = 0; i < prompt_.size(); ++i) {
    const std::vector<float> hidden = steps.Step(0, {prompt_[i]}).hidden;
    EXPECT_TRUE(std::equal(hidden.begin(), hidden.end(), states.begin() + static_cast<ptrdiff_t>(i * hidden.size())))
        << "token " << i;
  }
}

TEST_P(LayoutTest, EmbeddingsAreTheSameForAnyLayout) {
  const uint32_t layers = Pipeline(path_, {}).spec().layer_count();
  for (const Pooling pooling : {Pooling::kMean, Pooling::kLast}) {
    SCOPED_TRACE(pooling == Pooling::kMean ? "mean" : "last");
    Pipeline plain(path_, {});
    const std::vector<float> expected = PlainlyPooled(plain, prompt_, pooling);
    for (const uint32_t stages : {1U, 2U, 3U, 5U}) {
      if (stages > layers) continue;
      for (const size_t chunk : {size_t{0}, size_t{7}, size_t{1}}) {
        Pipeline pipeline(path_, {.stages = stages, .threads = stages > 1 ? 2 : 1});
        EXPECT_EQ(Embed(pipeline, 0, prompt_, pooling, chunk), expected) << stages << " stages, chunks of " << chunk;
      }
    }
  }
}

TEST_P(LayoutTest, AnEmbeddingAmongAnswersAndEmbeddingsIsTheSame) {
  Pipeline alone(path_, {});
  const std::vector<float> expected = Embed(alone, 0, prompt_, Pooling::kMean, 0);
  Pipeline pipeline(path_, {.stages = 2, .threads = 2});
  const std::vector<TokenId> other = Prompt(30, pipeline.spec().vocab, 3);
  const std::vector<TokenId> asked = Prompt(6, pipeline.spec().vocab, 4);
  TokenId answer = Likeliest(pipeline.Step(1, asked).logits);
  std::vector<TokenId> answered = {answer};
  HiddenPool pool(Pooling::kMean, static_cast<uint32_t>(prompt_.size()), pipeline.spec().hidden);
  // Each step: a decode, a part of another embedding, a part of the watched one, and a run that asks for nothing.
  for (uint32_t first = 0; first < prompt_.size(); first += 9) {
    const auto part = [first](const std::vector<TokenId>& text, size_t count) {
      const size_t begin = std::min<size_t>(first, text.size() - 1);
      const size_t end = std::min(text.size(), begin + count);
      return std::vector<TokenId>(text.begin() + static_cast<ptrdiff_t>(begin),
                                  text.begin() + static_cast<ptrdiff_t>(end));
    };
    const std::vector<TokenId> mine = part(prompt_, 9);
    const auto count = static_cast<uint32_t>(mine.size());
    const auto rows = pipeline.Step({{.sequence = 1, .tokens = {answer}, .logits = true},
                                     {.sequence = 2, .tokens = part(other, 5), .logits = false, .states = 1},
                                     {.sequence = 3, .tokens = mine, .logits = false, .states = count},
                                     {.sequence = 4, .tokens = part(other, 3), .logits = false}});
    ASSERT_EQ(rows.size(), 1u);
    answer = Likeliest(rows[0].logits);
    answered.push_back(answer);
    const size_t width = pipeline.spec().hidden;
    const std::span<const float> states(pipeline.states());
    ASSERT_EQ(states.size(), (1 + count) * width);
    ASSERT_TRUE(pool.Add(first, count, states.subspan(width)).ok());
  }
  ASSERT_TRUE(pool.complete());
  EXPECT_EQ(pool.Embedding(), expected);
  Pipeline undisturbed(path_, {});
  EXPECT_EQ(answered, Answer(undisturbed, 0, asked, answered.size(), 0).ids);
}

INSTANTIATE_TEST_SUITE_P(Models, LayoutTest,
                         ::testing::Values(TestModel{"stories260K", ""}, TestModel{"aidreams260K", ""},
                                           TestModel{"tiny", "f32"}, TestModel{"tiny", "f16"},
                                           TestModel{"tiny", "bf16"}, TestModel{"tiny", "q8_0"},
                                           TestModel{"tiny", "q4_0"}, TestModel{"tiny", "q4_k"},
                                           TestModel{"27m", "q8_0"}, TestModel{"27m", "q4_k"},
                                           TestModel{"tiny", "q6_k"}, TestModel{"tiny-windowed", "q8_0"},
                                           TestModel{"tiny-qwen2", "q8_0"}, TestModel{"tiny-qwen3", "q4_k"}),
                         [](const auto& instance) { return instance.param.name(); });

}  // namespace
}  // namespace enigma::engine::testing
