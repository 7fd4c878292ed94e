#include "worker/batching/sequence_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/given_row.h"

namespace enigma::worker {
namespace {

using ::testing::HasSubstr;

v1::OpenSequence Open(uint64_t id, int prompt, uint32_t max_tokens) {
  v1::OpenSequence open;
  open.set_sequence(id);
  for (int i = 0; i < prompt; ++i) open.add_prompt(i);
  open.mutable_sampling()->set_max_tokens(max_tokens);
  return open;
}

std::string Refusal(SequenceBook& book, v1::OpenSequence open) {
  return std::string(book.Open(std::move(open)).message());
}

TEST(SequenceBook, RefusesWithNumbersWhatCanNeverRun) {
  SequenceBook book({.kv_blocks = 4, .context = 256});
  EXPECT_THAT(Refusal(book, Open(1, 0, 5)), HasSubstr("no tokens"));
  EXPECT_THAT(Refusal(book, Open(1, 256, 5)), HasSubstr("256 tokens"));
  EXPECT_THAT(Refusal(book, Open(1, 100, 100)), HasSubstr("needs 7 KV blocks of 32 tokens; the replica has 4"));
  EXPECT_THAT(Refusal(book, Open(1, 5, 0)), HasSubstr("max_tokens"));
  EXPECT_EQ(Refusal(book, Open(1, 100, 29)), "");
  EXPECT_THAT(Refusal(book, Open(1, 5, 5)), HasSubstr("already"));
}

TEST(SequenceBook, RunsASequenceToItsBudget) {
  SequenceBook book({.kv_blocks = 4, .context = 256});
  ASSERT_TRUE(book.Open(Open(9, 40, 2)).ok());
  std::optional<StepPlan> plan = book.FormStep();
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->runs.size(), 1U);
  EXPECT_EQ(plan->opens.size(), 1U);
  EXPECT_EQ(plan->runs[0].count, 40U);
  EXPECT_EQ(plan->runs[0].new_blocks.size(), 2U);
  EXPECT_TRUE(plan->runs[0].logits);
  EXPECT_EQ(plan->tokens.size(), 40U);
  EXPECT_FALSE(book.FormStep());  // one stage, one step

  const SampledToken first{.sequence = 9, .position = 40, .id = 77, .finished = false};
  ASSERT_TRUE(book.Finish(plan->step, {&first, 1}).ok());
  plan = book.FormStep();
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->opens.empty());
  EXPECT_EQ(plan->tokens, std::vector<int32_t>{77});
  EXPECT_EQ(plan->runs[0].first, 40U);

  const SampledToken second{.sequence = 9, .position = 41, .id = 78, .finished = true};
  ASSERT_TRUE(book.Finish(plan->step, {&second, 1}).ok());
  EXPECT_EQ(book.sequences(), 0U);
  EXPECT_EQ(book.free_blocks(), 4U);
  plan = book.FormStep();
  ASSERT_TRUE(plan);  // the other stages must hear of the end
  EXPECT_EQ(plan->closes, std::vector<uint64_t>{9});
  EXPECT_TRUE(plan->runs.empty());
}

TEST(SequenceBook, ATextThatIsEmbeddedMayFillTheContextAndEndsWithItsResult) {
  SequenceBook book({.kv_blocks = 4, .context = 96, .max_rows = 64});
  v1::OpenSequence open = Open(9, 97, 0);
  open.set_pooling(v1::POOLING_MEAN);
  EXPECT_THAT(Refusal(book, open), HasSubstr("97 tokens, the context holds 96"));
  open.mutable_prompt()->RemoveLast();
  ASSERT_TRUE(book.Open(open).ok());
  std::optional<StepPlan> plan = book.FormStep();
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->runs[0].count, 64u);
  EXPECT_FALSE(plan->runs[0].logits);
  ASSERT_TRUE(book.Finish(plan->step, {}).ok());
  plan = book.FormStep();
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->runs[0].count, 32u);
  EXPECT_TRUE(plan->runs[0].logits);
  const SampledToken done{.sequence = 9, .position = 96, .id = -1, .finished = true};
  ASSERT_TRUE(book.Finish(plan->step, {&done, 1}).ok());
  EXPECT_EQ(book.sequences(), 0U);
  EXPECT_EQ(book.free_blocks(), 4U);
}

TEST(SequenceBook, AQuestionOfLabelsMayFillTheContextAndNeedsNoRoomForAnAnswer) {
  SequenceBook book({.kv_blocks = 3, .context = 96});
  v1::OpenSequence open = Open(9, 97, 1000);
  open.mutable_labels()->add_tokens(1);
  EXPECT_THAT(Refusal(book, open), HasSubstr("97 tokens, the context holds 96"));
  open.mutable_prompt()->RemoveLast();
  ASSERT_TRUE(book.Open(open).ok());
  const std::optional<StepPlan> plan = book.FormStep();
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->runs[0].logits);
  const SampledToken done{.sequence = 9, .position = 96, .id = -1, .finished = true};
  ASSERT_TRUE(book.Finish(plan->step, {&done, 1}).ok());
  EXPECT_EQ(book.sequences(), 0U);
}

TEST(SequenceBook, RowsTravelWithTheirPiecesOfThePromptAndStayHere) {
  SequenceBook book({.kv_blocks = 8, .context = 256, .max_rows = 4});
  v1::OpenSequence open = Open(9, 0, 5);
  for (const int32_t id : {1, engine::kGivenRow, engine::kGivenRow, engine::kGivenRow, 7, engine::kGivenRow, 8}) {
    open.add_prompt(id);
  }
  for (const float value : {1.F, 2.F, 3.F, 4.F, 5.F, 6.F, 7.F, 8.F}) open.add_given(value);  // rows of two
  ASSERT_TRUE(book.Open(open).ok());
  std::optional<StepPlan> plan = book.FormStep();
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->given, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  ASSERT_EQ(plan->opens.size(), 1u);
  EXPECT_EQ(plan->opens[0].given_size(), 0) << "no frame carries them";
  EXPECT_EQ(plan->opens[0].prompt_size(), 7);
  ASSERT_TRUE(book.Finish(plan->step, {}).ok());
  plan = book.FormStep();
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->tokens, (std::vector<int32_t>{7, engine::kGivenRow, 8}));
  EXPECT_EQ(plan->given, (std::vector<float>{7, 8}));
}

TEST(SequenceBook, CancelFreesBlocksAtOnceAndIgnoresLateTokens) {
  SequenceBook book({.kv_blocks = 4, .context = 256});
  ASSERT_TRUE(book.Open(Open(9, 40, 20)).ok());
  const std::optional<StepPlan> plan = book.FormStep();
  ASSERT_TRUE(plan);
  EXPECT_EQ(book.free_blocks(), 2U);
  EXPECT_TRUE(book.Cancel(9));
  EXPECT_FALSE(book.Cancel(9));
  EXPECT_EQ(book.free_blocks(), 4U);
  const SampledToken late{.sequence = 9, .position = 40, .id = 77, .finished = false};
  EXPECT_TRUE(book.Finish(plan->step, {&late, 1}).ok());
  EXPECT_EQ(book.sequences(), 0U);
}

TEST(SequenceBook, NeverStartedSequencesAreNotClosed) {
  SequenceBook book({.kv_blocks = 4, .context = 256});
  ASSERT_TRUE(book.Open(Open(9, 40, 20)).ok());
  EXPECT_TRUE(book.Cancel(9));
  EXPECT_FALSE(book.FormStep());
}

TEST(SequenceBook, StepsFinishInOrder) {
  SequenceBook book({.kv_blocks = 8, .context = 256, .stage_count = 2});
  ASSERT_TRUE(book.Open(Open(1, 200, 5)).ok());
  ASSERT_TRUE(book.FormStep());
  ASSERT_TRUE(book.FormStep());
  EXPECT_FALSE(book.FormStep());
  EXPECT_FALSE(book.Finish(1, {}).ok());
  EXPECT_TRUE(book.Finish(0, {}).ok());
  EXPECT_TRUE(book.Finish(1, {}).ok());
  EXPECT_FALSE(book.Finish(2, {}).ok());
}

// Two sequences that do not fit together: the younger is preempted, replayed from its prompt and tokens, and both end
// with all their tokens.
TEST(SequenceBook, PreemptedSequencesAreReplayed) {
  SequenceBook book({.kv_blocks = 4, .context = 256});
  ASSERT_TRUE(book.Open(Open(1, 30, 60)).ok());
  ASSERT_TRUE(book.Open(Open(2, 30, 60)).ok());
  std::map<uint64_t, std::vector<int32_t>> fed;  // the tokens that each sequence's positions were computed from
  int resets = 0;
  for (int step = 0; step < 400 && book.sequences() > 0; ++step) {
    const std::optional<StepPlan> plan = book.FormStep();
    ASSERT_TRUE(plan);
    std::vector<SampledToken> sampled;
    size_t row = 0;
    for (const PlannedRun& run : plan->runs) {
      resets += run.reset_blocks ? 1 : 0;
      std::vector<int32_t>& tokens = fed[run.sequence];
      EXPECT_TRUE(!run.reset_blocks || run.first == 0U);
      for (uint32_t i = 0; i < run.count; ++i, ++row) {
        const size_t position = run.first + i;
        if (position == tokens.size()) tokens.push_back(plan->tokens[row]);
        EXPECT_EQ(tokens[position], plan->tokens[row]) << "replayed with another token";
      }
      if (run.logits) {
        const uint32_t position = run.first + run.count;
        sampled.push_back({run.sequence, position, static_cast<int32_t>(1000 * run.sequence + position), false});
      }
    }
    ASSERT_TRUE(book.Finish(plan->step, sampled).ok());
  }
  EXPECT_EQ(book.sequences(), 0U);
  EXPECT_GE(resets, 1);
  EXPECT_EQ(book.preemptions(), static_cast<uint64_t>(resets));
  EXPECT_EQ(fed[1].size(), 89U);
  EXPECT_EQ(fed[2].size(), 89U);
  EXPECT_EQ(fed[2].back(), 2088);
  EXPECT_EQ(book.free_blocks(), 4U);
}

}  // namespace
}  // namespace enigma::worker
