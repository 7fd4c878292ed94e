#include <functional>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/model/hidden_pool.h"
#include "engine/sampling/label_scorer.h"
#include "engine/sampling/local_generator.h"
#include "tests/support/synthetic_models.h"
#include "tests/unit/worker/pipeline_fixture.h"
#include "worker/pipeline/sampling_params.h"

namespace enigma::worker {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class Pipeline : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    path_ = new std::string(enigma::testing::SyntheticModelPath("tiny", "f32"));
    auto local = engine::LocalGenerator::Open(*path_, {});
    ASSERT_TRUE(local.ok()) << local.status();
    local_ = local->release();
  }
  static void TearDownTestSuite() {
    delete local_;
    delete path_;
  }

  static v1::OpenSequence Request(uint64_t id, int prompt, uint32_t max_tokens, float temperature = 0) {
    v1::OpenSequence open;
    open.set_sequence(id);
    open.set_epoch(1);
    for (int i = 0; i < prompt; ++i)
      open.add_prompt(static_cast<int32_t>(3 + (id * 31 + static_cast<uint64_t>(i) * 7) % 400));
    open.mutable_sampling()->set_temperature(temperature);
    open.mutable_sampling()->set_seed(id);
    open.mutable_sampling()->set_max_tokens(max_tokens);
    open.mutable_sampling()->set_ignore_eos(true);
    return open;
  }

  static std::vector<int32_t> Expected(const v1::OpenSequence& open) {
    const auto result = local_->Generate({open.prompt().begin(), open.prompt().end()}, FromProto(open.sampling()),
                                         [](auto) { return true; });
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->ids : std::vector<int32_t>{};
  }

  static v1::OpenSequence Text(uint64_t id, int tokens, v1::Pooling pooling) {
    v1::OpenSequence open = Request(id, tokens, 1);
    open.clear_sampling();
    open.set_pooling(pooling);
    return open;
  }

  // Reads the prompt in one pass of the whole model. `take` is given what comes of it.
  static void Read(const v1::OpenSequence& open, uint32_t states,
                   const std::function<void(const engine::Stage::Output&)>& take) {
    auto weights = engine::OpenGgufWeights(*path_);
    EXPECT_TRUE(weights.ok()) << weights.status();
    engine::ThreadPool pool(1);
    auto stage =
        engine::Stage::Create(**weights, {.kv_blocks = 16, .kv_type = engine::DefaultKvType((*weights)->head())}, pool);
    EXPECT_TRUE(stage.ok()) << stage.status();
    std::vector<uint32_t> blocks(16);
    std::iota(blocks.begin(), blocks.end(), 0);
    engine::Batch batch;
    batch.runs = {{.first = 0,
                   .count = static_cast<uint32_t>(open.prompt_size()),
                   .blocks = blocks,
                   .logits = states == 0,
                   .states = states}};
    batch.tokens.assign(open.prompt().begin(), open.prompt().end());
    const auto output = (*stage)->Forward(batch);
    EXPECT_TRUE(output.ok()) << output.status();
    take(*output);
  }

  static std::vector<float> ExpectedEmbedding(const v1::OpenSequence& open) {
    const auto file = engine::GgufFile::Open(*path_);
    const auto spec = engine::ModelSpecFromGguf(**file);
    const auto tokens = static_cast<uint32_t>(open.prompt_size());
    engine::HiddenPool hidden(open.pooling() == v1::POOLING_LAST ? engine::Pooling::kLast : engine::Pooling::kMean,
                              tokens, spec->hidden);
    Read(open, hidden.Wants(0, tokens),
         [&](const engine::Stage::Output& output) { EXPECT_TRUE(hidden.Add(0, tokens, output.states).ok()); });
    return hidden.Embedding();
  }

  static v1::OpenSequence Question(uint64_t id, int tokens, const std::vector<int32_t>& labels) {
    v1::OpenSequence open = Request(id, tokens, 1);
    open.clear_sampling();
    open.mutable_labels()->mutable_tokens()->Assign(labels.begin(), labels.end());
    open.mutable_labels()->set_temperature(0.7);
    return open;
  }

  static std::vector<double> ExpectedProbabilities(const v1::OpenSequence& open) {
    std::vector<float> logits;
    Read(open, 0, [&](const engine::Stage::Output& output) {
      for (const int32_t id : open.labels().tokens()) logits.push_back(output.logits[static_cast<size_t>(id)]);
    });
    return engine::ScoreLabels(logits, open.labels().temperature()).probabilities;
  }

  static std::string* path_;
  static engine::LocalGenerator* local_;
};
std::string* Pipeline::path_ = nullptr;
engine::LocalGenerator* Pipeline::local_ = nullptr;

#ifdef ENIGMA_SANITIZED  // kernels are fifty times slower
constexpr uint32_t kPreemptedTokens = 30;
#else
constexpr uint32_t kPreemptedTokens = 60;
#endif

// Moves when it is told to.
class SetClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch() + Monotonic(); }
  absl::Duration Monotonic() const override { return absl::Milliseconds(ms_.load()); }
  void Advance(absl::Duration time) { ms_ += absl::ToInt64Milliseconds(time); }

 private:
  std::atomic<int64_t> ms_{1000};
};

const std::vector<std::vector<uint32_t>>& Cuts() {
#ifdef ENIGMA_SANITIZED
  static const std::vector<std::vector<uint32_t>> cuts = {{0}, {0, 1, 3}};
#else
  static const std::vector<std::vector<uint32_t>> cuts = {{0}, {0, 2}, {0, 1, 3}};
#endif
  return cuts;
}

TEST_F(Pipeline, AStageIsAsOldAsItsLastProgressNotAsItsIdleness) {
  SetClock clock;
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0}, .clock = &clock});
  StageExecutor& stage = pipeline.first();
  EXPECT_FALSE(stage.Status().busy());
  EXPECT_EQ(stage.Status().last_step_age_ms(), -1) << "no step yet";
  const auto busy_with = [&](uint64_t sequence) {
    ASSERT_TRUE(stage.Open(Request(sequence, 5, 1)).ok());
    const absl::Time end = absl::Now() + absl::Minutes(1);
    while (!stage.Status().busy() && absl::Now() < end) absl::SleepFor(absl::Milliseconds(1));
  };
  for (uint64_t sequence = 1; sequence <= 2; ++sequence) {
    clock.Advance(absl::Hours(1));
    EXPECT_FALSE(stage.Status().busy());
    {
      absl::MutexLock held(&pipeline.turn(0));
      busy_with(sequence);
      EXPECT_EQ(stage.Status().last_step_age_ms(), 0) << "work has just come, whenever the step before it was";
      clock.Advance(absl::Seconds(70));
      EXPECT_TRUE(stage.Status().busy());
      EXPECT_EQ(stage.Status().last_step_age_ms(), 70'000) << "and nothing was done for it since";
    }
    EXPECT_EQ(pipeline.Collect(sequence).at(sequence).finish_reason, "length");
    // One step for its token, and one that only tells its end.
    const absl::Time end = absl::Now() + absl::Minutes(1);
    while (stage.Status().steps() < 2 * sequence && absl::Now() < end) absl::SleepFor(absl::Milliseconds(1));
    clock.Advance(absl::Seconds(3));
    while (stage.Status().busy() && absl::Now() < end) absl::SleepFor(absl::Milliseconds(1));
    EXPECT_EQ(stage.Status().last_step_age_ms(), 3000) << "idle: since its last step";
  }
}

TEST_F(Pipeline, WhatAHopSendsTheNextReceivesAndEveryTimeIsCounted) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 2}});
  ASSERT_TRUE(pipeline.first().Open(Request(1, 5, 8)).ok());
  ASSERT_EQ(pipeline.Collect(1).at(1).ids.size(), 8U);
  const auto counter = [&](Metric metric, const char* stage) {
    return pipeline.metrics().Counter(metric, {{"model_name", "test"}, {"stage", stage}}).Value();
  };
  // The end of the sequence travels with one more step than it has tokens, which comes back as the others do.
  const absl::Time end = absl::Now() + absl::Minutes(1);
  while (counter(Metric::kLinkFramesReceived, "0") < 9 && absl::Now() < end) absl::SleepFor(absl::Milliseconds(1));
  for (const auto& [from, to] : {std::pair{"0", "1"}, std::pair{"1", "0"}}) {
    EXPECT_GE(counter(Metric::kLinkFramesSent, from), 8) << from;
    EXPECT_EQ(counter(Metric::kLinkFramesSent, from), counter(Metric::kLinkFramesReceived, to)) << from;
    EXPECT_EQ(counter(Metric::kLinkBytesSent, from), counter(Metric::kLinkBytesReceived, to)) << from;
    EXPECT_GT(counter(Metric::kLinkSendSeconds, from), 0) << from;
    EXPECT_GT(counter(Metric::kStageQueueSeconds, to), 0) << to;
    EXPECT_GT(counter(Metric::kStageComputeSeconds, to), 0) << to;
  }
  EXPECT_EQ(counter(Metric::kStageSteps, "0"), counter(Metric::kStageSteps, "1"));
  // A step is back after the other stage has computed it; nobody else has a round trip.
  EXPECT_GE(counter(Metric::kStageRoundTripSeconds, "0"), counter(Metric::kStageComputeSeconds, "1"));
  EXPECT_EQ(counter(Metric::kStageRoundTripSeconds, "1"), 0);
}

TEST_F(Pipeline, AnyNumberOfStagesGivesTheSameIds) {
  const v1::OpenSequence greedy = Request(1, 45, 24);
  const v1::OpenSequence random = Request(2, 7, 24, 0.9F);
  const std::vector<int32_t> expected_greedy = Expected(greedy);
  const std::vector<int32_t> expected_random = Expected(random);
  for (const auto& cuts : Cuts()) {
    PipelineFixture pipeline({.model_path = *path_, .cuts = cuts});
    ASSERT_TRUE(pipeline.first().Open(greedy).ok());
    ASSERT_TRUE(pipeline.first().Open(random).ok());
    const auto ended = pipeline.Collect(2);
    EXPECT_EQ(ended.at(1).ids, expected_greedy) << cuts.size() << " stages";
    EXPECT_EQ(ended.at(2).ids, expected_random) << cuts.size() << " stages";
    EXPECT_EQ(ended.at(1).finish_reason, "length");
    EXPECT_TRUE(pipeline.failures().empty());
  }
}

TEST_F(Pipeline, EightAtOnceEqualEachAlone) {
  std::map<uint64_t, std::vector<int32_t>> expected;
  for (uint64_t id = 1; id <= 8; ++id) {
    expected[id] = Expected(Request(id, static_cast<int>(5 + 17 * id), 20, id % 2 == 0 ? 0.8F : 0.0F));
  }
  for (const auto& cuts : Cuts()) {
    PipelineFixture pipeline({.model_path = *path_, .cuts = cuts, .max_rows = 96});
    for (uint64_t id = 1; id <= 8; ++id) {
      ASSERT_TRUE(
          pipeline.first().Open(Request(id, static_cast<int>(5 + 17 * id), 20, id % 2 == 0 ? 0.8F : 0.0F)).ok());
    }
    const auto ended = pipeline.Collect(8);
    for (const auto& [id, ids] : expected) EXPECT_EQ(ended.at(id).ids, ids) << id << ", " << cuts.size() << " stages";
  }
}

TEST_F(Pipeline, PreemptionChangesNoId) {
  std::map<uint64_t, std::vector<int32_t>> expected;
  for (uint64_t id = 1; id <= 4; ++id) expected[id] = Expected(Request(id, 40, kPreemptedTokens, 0.7F));
  for (const auto& cuts : Cuts()) {
    PipelineFixture pipeline({.model_path = *path_, .cuts = cuts, .kv_blocks = 7});
    for (uint64_t id = 1; id <= 4; ++id)
      ASSERT_TRUE(pipeline.first().Open(Request(id, 40, kPreemptedTokens, 0.7F)).ok());
    const auto ended = pipeline.Collect(4);
    ASSERT_EQ(ended.size(), 4U);
    for (const auto& [id, ids] : expected) EXPECT_EQ(ended.at(id).ids, ids) << id << ", " << cuts.size() << " stages";
    // Four times 70 tokens do not fit into 7 blocks of 32: some row was computed twice.
    EXPECT_GT(pipeline.first().Status().preemptions(), 0U);
    EXPECT_TRUE(pipeline.failures().empty());
  }
}

TEST_F(Pipeline, EmbeddingsAreTheSameForAnyStagesAloneAndAmongOthers) {
  const std::vector<v1::OpenSequence> texts = {Text(1, 45, v1::POOLING_MEAN), Text(2, 45, v1::POOLING_LAST),
                                               Text(3, 1, v1::POOLING_MEAN), Text(4, 512, v1::POOLING_MEAN)};
  std::vector<std::vector<float>> expected;
  for (const v1::OpenSequence& text : texts) expected.push_back(ExpectedEmbedding(text));
  for (const auto& cuts : Cuts()) {
    // Small steps cut every prompt into pieces; the last text fills the context.
    PipelineFixture pipeline({.model_path = *path_, .cuts = cuts, .kv_blocks = 32, .max_rows = 40});
    ASSERT_TRUE(pipeline.first().Open(texts[0]).ok());
    EXPECT_EQ(pipeline.Collect(1).at(1).embedding, expected[0]) << "alone, " << cuts.size() << " stages";
    const v1::OpenSequence answer = Request(9, 30, 12);
    ASSERT_TRUE(pipeline.first().Open(answer).ok());
    for (size_t i = 1; i < texts.size(); ++i) ASSERT_TRUE(pipeline.first().Open(texts[i]).ok());
    const auto ended = pipeline.Collect(5);
    for (size_t i = 0; i < texts.size(); ++i) {
      const PipelineFixture::Ended& one = ended.at(i + 1);
      EXPECT_EQ(one.embedding, expected[i]) << "text " << i << ", " << cuts.size() << " stages";
      EXPECT_EQ(one.finish_reason, "stop");
      EXPECT_TRUE(one.ids.empty());
    }
    EXPECT_EQ(ended.at(9).ids, Expected(answer));
    while (pipeline.first().free_blocks() < 32) absl::SleepFor(absl::Milliseconds(1));
    for (size_t i = 0; i < cuts.size(); ++i) {
      while (pipeline.stage(i).Status().sequences() > 0) absl::SleepFor(absl::Milliseconds(1));
    }
    EXPECT_TRUE(pipeline.failures().empty());
  }
}

TEST_F(Pipeline, PreemptionChangesNoEmbedding) {
  // The answer grows into a third block while the first text, which came after it, holds the last ones.
  const v1::OpenSequence answer = Request(9, 60, kPreemptedTokens);
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 2}, .kv_blocks = 4, .max_rows = 8});
  ASSERT_TRUE(pipeline.first().Open(answer).ok());
  for (uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(pipeline.first().Open(Text(id, 60, v1::POOLING_MEAN)).ok());
  const auto ended = pipeline.Collect(4);
  for (uint64_t id = 1; id <= 3; ++id) {
    EXPECT_EQ(ended.at(id).embedding, ExpectedEmbedding(Text(id, 60, v1::POOLING_MEAN))) << id;
  }
  EXPECT_EQ(ended.at(9).ids, Expected(answer));
  EXPECT_TRUE(pipeline.failures().empty());
}

TEST_F(Pipeline, LabelsAreWeighedTheSameForAnyStagesAloneAndAmongOthers) {
  const v1::OpenSequence question = Question(1, 70, {400, 7, 31});
  const std::vector<double> expected = ExpectedProbabilities(question);
  ASSERT_EQ(expected.size(), 3U);
  EXPECT_NEAR(std::accumulate(expected.begin(), expected.end(), 0.0), 1.0, 1e-12);
  for (const auto& cuts : Cuts()) {
    PipelineFixture pipeline({.model_path = *path_, .cuts = cuts, .max_rows = 64});
    ASSERT_TRUE(pipeline.first().Open(question).ok());
    const PipelineFixture::Ended ended = pipeline.Collect(1).at(1);
    EXPECT_EQ(ended.label_probabilities, expected) << "alone, " << cuts.size() << " stages";
    EXPECT_EQ(ended.finish_reason, "stop");
    EXPECT_TRUE(ended.ids.empty());

    const v1::OpenSequence other = Request(2, 20, 12);
    ASSERT_TRUE(pipeline.first().Open(other).ok());
    for (uint64_t id = 3; id <= 5; ++id) ASSERT_TRUE(pipeline.first().Open(Question(id, 9, {1, 2})).ok());
    const auto all = pipeline.Collect(5);
    EXPECT_EQ(all.at(2).ids, Expected(other));
    for (uint64_t id = 3; id <= 5; ++id) {
      EXPECT_EQ(all.at(id).label_probabilities, ExpectedProbabilities(Question(id, 9, {1, 2}))) << id;
    }
  }
}

TEST_F(Pipeline, WrongQuestionsOfLabelsAreRefused) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 2}});
  std::vector<v1::OpenSequence> wrong = {Question(1, 5, {1}), Question(2, 5, {1, 512}), Question(3, 5, {1, -1}),
                                         Question(4, 5, {1, 2}), Question(5, 5, {1, 2})};
  wrong[3].mutable_labels()->set_temperature(0);
  wrong[4].set_pooling(v1::POOLING_MEAN);
  const char* const says[] = {"2 to 1024 tokens, not 1", "label token 512", "label token -1", "is not above 0",
                              "neither with a pooling"};
  for (size_t i = 0; i < wrong.size(); ++i) {
    ASSERT_TRUE(pipeline.first().Open(wrong[i]).ok());
    const auto reply = pipeline.replies().Pop(absl::Seconds(30));
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->sequence(), wrong[i].sequence());
    EXPECT_THAT(reply->error(), HasSubstr(says[i]));
  }
}

TEST_F(Pipeline, ACancelledEmbeddingFreesItsBlocks) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 2}, .kv_blocks = 16, .max_rows = 1});
  ASSERT_TRUE(pipeline.first().Open(Text(1, 500, v1::POOLING_MEAN)).ok());
  while (pipeline.stage(1).Status().sequences() == 0) absl::SleepFor(absl::Milliseconds(1));
  ASSERT_TRUE(pipeline.first().Cancel(1).ok());
  while (pipeline.first().free_blocks() < 16) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_LT(pipeline.first().Status().steps(), 400u) << "it was cancelled, not finished";
  while (pipeline.stage(1).Status().sequences() > 0) absl::SleepFor(absl::Milliseconds(1));
  // The same id again begins with nothing left of the first.
  ASSERT_TRUE(pipeline.first().Open(Text(1, 9, v1::POOLING_MEAN)).ok());
  EXPECT_EQ(pipeline.Collect(1).at(1).embedding, ExpectedEmbedding(Text(1, 9, v1::POOLING_MEAN)));
}

TEST_F(Pipeline, CancellingFreesItsBlocks) {
  for (const auto& cuts : Cuts()) {
    PipelineFixture pipeline({.model_path = *path_, .cuts = cuts, .kv_blocks = 16});
    ASSERT_TRUE(pipeline.first().Open(Request(1, 40, 400)).ok());
    ASSERT_TRUE(pipeline.AwaitTokens(1, 3));
    EXPECT_LT(pipeline.first().free_blocks(), 16U);
    ASSERT_TRUE(pipeline.first().Cancel(1).ok());
    const uint64_t before = pipeline.first().Status().steps();
    while (pipeline.first().free_blocks() < 16) absl::SleepFor(absl::Milliseconds(1));
    // The command waits for the step in hand and for the one that tells the other stages.
    EXPECT_LE(pipeline.first().Status().steps(), before + 1 + cuts.size());
    for (size_t i = 0; i < cuts.size(); ++i) {
      while (pipeline.stage(i).Status().sequences() > 0) absl::SleepFor(absl::Milliseconds(1));
    }
    EXPECT_TRUE(pipeline.failures().empty());
  }
}

TEST_F(Pipeline, RefusalsNameNumbersAndDisturbNobody) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 2}, .kv_blocks = 4});
  ASSERT_TRUE(pipeline.first().Open(Request(1, 20, 10)).ok());
  ASSERT_TRUE(pipeline.first().Open(Request(2, 130, 5)).ok());
  v1::OpenSequence alien = Request(3, 5, 5);
  alien.set_prompt(2, 512);
  ASSERT_TRUE(pipeline.first().Open(alien).ok());
  v1::OpenSequence hot = Request(4, 5, 5);
  hot.mutable_sampling()->set_temperature(-1);
  ASSERT_TRUE(pipeline.first().Open(hot).ok());
  const char* const says[] = {"130 tokens and leaves no room in a context of 128", "prompt token 512", "temperature"};
  for (uint64_t id = 2; id <= 4; ++id) {
    const auto reply = pipeline.replies().Pop(absl::Seconds(30));
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->sequence(), id);
    EXPECT_THAT(reply->error(), HasSubstr(says[id - 2]));
  }
  EXPECT_EQ(pipeline.Collect(1).at(1).ids.size(), 10U);
}

TEST_F(Pipeline, StopsAtStopStringsAndAtTheContext) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 2}});
  v1::OpenSequence full = Request(1, 500, 400);
  ASSERT_TRUE(pipeline.first().Open(full).ok());
  v1::OpenSequence plain = Request(2, 10, 30);
  const std::vector<int32_t> ids = Expected(plain);
  // The text of a token in the middle becomes the stop string.
  const std::string text = engine::Decode(local_->tokenizer(), {ids[8], ids[9]});
  if (!text.empty()) plain.mutable_sampling()->add_stop(text);
  const auto expected = local_->Generate({plain.prompt().begin(), plain.prompt().end()}, FromProto(plain.sampling()),
                                         [](auto) { return true; });
  ASSERT_TRUE(expected.ok());
  ASSERT_TRUE(pipeline.first().Open(plain).ok());
  const auto ended = pipeline.Collect(2);
  EXPECT_EQ(ended.at(1).ids.size(), 12U);
  EXPECT_EQ(ended.at(1).finish_reason, "length");
  EXPECT_EQ(ended.at(2).ids, expected->ids);
  EXPECT_EQ(ended.at(2).finish_reason, expected->finish_reason);
}

TEST_F(Pipeline, HalfPrecisionOnTheWireStillAnswers) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 2}, .wire_type = WireType::kF16});
  ASSERT_TRUE(pipeline.first().Open(Request(1, 20, 10)).ok());
  EXPECT_EQ(pipeline.Collect(1).at(1).ids.size(), 10U);
}

TEST_F(Pipeline, ALostStageEndsItsSequencesAndNamesTheNode) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 1, 3}});
  ASSERT_TRUE(pipeline.first().Open(Request(1, 40, 400)).ok());
  ASSERT_TRUE(pipeline.AwaitTokens(1, 2));
  pipeline.KillServer(1);
  ASSERT_TRUE(pipeline.AwaitFailures(1));
  const auto reply = pipeline.replies().Pop(absl::Seconds(30));
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->sequence(), 1U);
  EXPECT_THAT(reply->error(), HasSubstr("node"));
  EXPECT_THAT(pipeline.failures()[0].reason(), HasSubstr("was lost"));
  EXPECT_THAT(pipeline.failures()[0].peer_node(), AnyOf("node0", "node1", "node2"));
  EXPECT_FALSE(pipeline.first().AttachSubmitter().ok());
}

// The coordinator tells the cause from its echoes by this: only the stage that failed reports a loss of nobody.
TEST_F(Pipeline, AMiddleStageThatFailsByItselfSaysSoAndItsNeighboursNameIt) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 1, 3}});
  ASSERT_TRUE(pipeline.first().Open(Request(1, 40, 400)).ok());
  ASSERT_TRUE(pipeline.AwaitTokens(1, 2));
  const LinkPeer before{.replica = 1, .stage = 0, .node_id = "node0"};
  const auto receiver = pipeline.stage(1).ReceiverFor(before);
  ASSERT_TRUE(receiver.ok()) << receiver.status();
  ASSERT_TRUE((*receiver)->OnFrame(before, MakeBuffer("no frame at all")).ok());
  ASSERT_TRUE(pipeline.AwaitFailures(3));
  int own = 0;
  for (const v1::ReplicaFailure& failure : pipeline.failures()) {
    const bool of_the_middle = failure.reason().find("stage 1 ") != std::string::npos;
    EXPECT_EQ(failure.peer_node().empty(), of_the_middle) << failure.reason();
    own += of_the_middle ? 1 : 0;
  }
  EXPECT_EQ(own, 1);
}

TEST_F(Pipeline, UnloadingAnIdleReplicaIsNoFailure) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 1, 3}});
  ASSERT_TRUE(pipeline.first().Open(Request(1, 10, 4)).ok());
  EXPECT_EQ(pipeline.Collect(1).at(1).ids.size(), 4U);
  for (size_t i = 0; i < 3; ++i) {
    while (pipeline.stage(i).Status().sequences() > 0) absl::SleepFor(absl::Milliseconds(1));
  }
  pipeline.DropStage(0);
  pipeline.DropStage(1);
  pipeline.DropStage(2);
  EXPECT_TRUE(pipeline.failures().empty());
}

}  // namespace
}  // namespace enigma::worker
