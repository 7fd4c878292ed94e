#include "worker/batching/step_policy.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::worker {
namespace {

// Sequences in the states that matter, by the fields the policy reads.
SequenceView Decoding(uint32_t known, bool sampling = false) {
  return {.sequence = 0,
          .known = known,
          .computed = sampling ? known : known - 1,
          .blocks = (known + 31) / 32,
          .blocks_most = 100,
          .started = true,
          .sampling = sampling};
}
SequenceView Waiting(uint32_t prompt) { return {.sequence = 0, .known = prompt, .blocks_most = 100}; }
SequenceView Prefilling(uint32_t prompt, uint32_t computed) {
  return {.sequence = 0,
          .known = prompt,
          .computed = computed,
          .blocks = (computed + 31) / 32,
          .blocks_most = 100,
          .started = true};
}

// "0:1 2:64(2)" is one row of the first sequence, and 64 rows and two new blocks of the third; "-1" a preemption of the
// second, told first.
std::string Show(const StepChoice& choice) {
  std::string out;
  for (const size_t index : choice.preempted) out += "-" + std::to_string(index) + " ";
  for (const RunChoice& run : choice.runs) {
    out += std::to_string(run.index) + ":" + std::to_string(run.count);
    if (run.new_blocks > 0) out += "(" + std::to_string(run.new_blocks) + ")";
    out += " ";
  }
  if (!out.empty()) out.pop_back();
  return out;
}

struct Case {
  const char* name;
  BatchView view;
  const char* choice;
};

BatchView View(std::vector<SequenceView> sequences, uint32_t free_blocks, uint32_t stages = 1, uint32_t in_flight = 0,
               uint32_t max_rows = 512) {
  return {.sequences = std::move(sequences),
          .free_blocks = free_blocks,
          .max_rows = max_rows,
          .stage_count = stages,
          .steps_in_flight = in_flight};
}

TEST(StepPolicy, Table) {
  const Case cases[] = {
      {"nothing to do", View({}, 10), ""},
      {"a prompt alone takes the whole step", View({Waiting(100)}, 10), "0:100(4)"},
      {"a long prompt is cut at the step's rows", View({Waiting(600)}, 30), "0:512(16)"},
      {"and goes on from there", View({Prefilling(600, 512)}, 30), "0:88(3)"},
      {"prompts share a step", View({Waiting(100), Waiting(50)}, 20), "0:100(4) 1:50(2)"},
      {"decoding sequences go first, whatever their age", View({Waiting(64), Decoding(40)}, 20), "1:1 0:64(2)"},
      {"a prompt leaves room to those decoding", View({Decoding(40), Waiting(600)}, 40), "0:1 1:255(8)"},
      {"a decode row at a block's edge takes a block", View({Decoding(33, false)}, 5), "0:1"},
      {"the thirty-third token needs a second block",
       View({{.sequence = 0, .known = 33, .computed = 32, .blocks = 1, .blocks_most = 9, .started = true}}, 5),
       "0:1(1)"},
      {"what is being sampled waits", View({Decoding(40, true), Decoding(41)}, 5), "1:1"},
      {"as many steps as stages in flight are enough", View({Decoding(40)}, 5, 2, 2), ""},
      {"one stage, one step", View({Decoding(40)}, 5, 1, 1), ""},
      {"two stages halve those decoding", View({Decoding(40), Decoding(41), Decoding(42)}, 5, 2, 0), "0:1 1:1"},
      {"and the others make the next step", View({Decoding(40, true), Decoding(41, true), Decoding(42)}, 5, 2, 1),
       "2:1"},
      {"with several stages a lone prompt is cut so that they overlap", View({Waiting(512)}, 40, 2), "0:128(4)"},
      {"but not into crumbs", View({Waiting(100)}, 40, 4), "0:32(1)"},
      {"nor does a step wait for all prompts while somebody decodes",
       View({Decoding(40), Waiting(100), Waiting(100)}, 40, 2), "0:1 1:50(2)"},
      {"a prompt starts when its blocks and one more are free", View({Waiting(64)}, 2), ""},
      {"unless it can never need one more", View({{.sequence = 0, .known = 64, .blocks_most = 2}}, 2), "0:64(2)"},
      {"blocks promised to a started prompt are not given away", View({Prefilling(320, 64), Waiting(32)}, 9, 1, 0, 64),
       "0:64(2)"},
      {"the oldest waiting is not overtaken", View({Waiting(320), Waiting(32)}, 5), ""},
      {"decoding without a free block preempts the youngest",
       View({{.sequence = 0, .known = 33, .computed = 32, .blocks = 1, .blocks_most = 9, .started = true},
             Decoding(40),
             Decoding(50)},
            0),
       "-2 0:1(1) 1:1"},
      {"the youngest itself waits",
       View(
           {Decoding(40), {.sequence = 0, .known = 33, .computed = 32, .blocks = 1, .blocks_most = 9, .started = true}},
           0),
       "0:1"},
      {"embeddings on their way leave prompts the whole step",
       View({{.sequence = 0,
              .known = 40,
              .computed = 40,
              .blocks = 2,
              .blocks_most = 2,
              .pooled = true,
              .started = true,
              .sampling = true},
             Waiting(600)},
            40),
       "1:512(16)"},
      {"the last token of a text is no decode row",
       View({{.sequence = 0,
              .known = 33,
              .computed = 32,
              .blocks = 1,
              .blocks_most = 2,
              .pooled = true,
              .started = true},
             Waiting(600)},
            40),
       "0:1(1) 1:511(16)"},
      {"a preempted sequence is not restarted in the same step",
       View({{.sequence = 0, .known = 33, .computed = 32, .blocks = 1, .blocks_most = 9, .started = true},
             Prefilling(96, 64)},
            0),
       "-1 0:1(1)"},
  };
  for (const Case& c : cases) EXPECT_EQ(Show(ChooseStep(c.view)), c.choice) << c.name;
}

TEST(StepPolicy, LogitRowsAreBounded) {
  BatchView view = View({Decoding(40), Decoding(41), Decoding(42), Waiting(10)}, 20);
  view.max_logit_rows = 2;
  // The prompt's last token would ask for logits, so it stops one short.
  EXPECT_EQ(Show(ChooseStep(view)), "0:1 1:1 3:9(1)");
  view.sequences.back().pooled = true;
  EXPECT_EQ(Show(ChooseStep(view)), "0:1 1:1 3:10(1)") << "an embedding needs no logits";
}

// A grid of small states: whatever the policy chooses can be done.
TEST(StepPolicy, ChoicesFitTheirState) {
  const std::vector<SequenceView> kinds = {
      Waiting(40),         Waiting(200),
      Prefilling(200, 96), Decoding(33),
      Decoding(64),        {.sequence = 0, .known = 65, .computed = 64, .blocks = 2, .blocks_most = 9, .started = true},
      Decoding(50, true)};
  for (size_t a = 0; a < kinds.size(); ++a) {
    for (size_t b = 0; b < kinds.size(); ++b) {
      for (size_t c = 0; c < kinds.size(); ++c) {
        for (uint32_t free = 0; free < 12; ++free) {
          for (uint32_t stages = 1; stages <= 3; ++stages) {
            const BatchView view = View({kinds[a], kinds[b], kinds[c]}, free, stages, stages - 1, 100);
            const StepChoice choice = ChooseStep(view);
            uint32_t blocks = free, rows = 0;
            for (const size_t index : choice.preempted) blocks += view.sequences[index].blocks;
            for (const RunChoice& run : choice.runs) {
              const SequenceView& s = view.sequences[run.index];
              EXPECT_FALSE(s.sampling);
              EXPECT_LE(s.computed + run.count, s.known);
              EXPECT_GE((s.blocks + run.new_blocks) * 32, s.computed + run.count);
              EXPECT_THAT(choice.preempted, ::testing::Not(::testing::Contains(run.index)));
              ASSERT_LE(run.new_blocks, blocks);
              blocks -= run.new_blocks;
              rows += run.count;
            }
            EXPECT_LE(rows, view.max_rows);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace enigma::worker
