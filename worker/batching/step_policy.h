#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enigma::worker {

// Which sequences run in the next step: a pure function of what the first stage knows. The rules:
//  * Decode rows go first, oldest sequence first; with S stages at most ceil(active / S) of them, so that S steps are
//  in
//    flight and every stage has one.
//  * Prefill fills the rest: up to `max_rows` rows, but only kMixedRows in all while sequences are decoding, since they
//    wait for the step. With several stages, prompts are cut so that stages overlap.
//  * A waiting sequence starts when its prompt's blocks and one more are free beyond what started prefills still need;
//    the oldest waiting one is never overtaken.
//  * A started sequence that needs a block when none is free preempts the youngest sequence that is younger than
//  itself;
//    where there is none, it waits. Sequences end or preempt, so somebody always goes on.

inline constexpr uint32_t kMixedRows = 256;
inline constexpr uint32_t kLeastPrefillRows = 32;  // fewer would not fill the products

struct SequenceView {
  uint64_t sequence = 0;
  uint32_t known = 0;        // tokens known: prompt and generated
  uint32_t computed = 0;     // of these, rows that are in the cache or in a step in flight
  uint32_t blocks = 0;       // held
  uint32_t blocks_most = 0;  // that it can ever need
  bool pooled = false;       // wants an embedding of its prompt: prefill is all it needs
  bool started = false;      // admitted, and not preempted since
  bool sampling = false;     // its next token, or its embedding, is being made by a step in flight
};

struct BatchView {
  std::vector<SequenceView> sequences;  // in order of arrival
  uint32_t free_blocks = 0;
  uint32_t max_rows = 0;          // of one step
  uint32_t max_logit_rows = 128;  // runs of one step after which a token is sampled; embeddings need no logits
  uint32_t stage_count = 1;
  uint32_t steps_in_flight = 0;
};

struct RunChoice {
  size_t index = 0;  // into BatchView::sequences
  uint32_t count = 0;
  uint32_t new_blocks = 0;
};

struct StepChoice {
  std::vector<size_t> preempted;  // indices; their blocks are free before the runs take theirs
  std::vector<RunChoice> runs;
};

// No runs when as many steps as stages are in flight or nobody can go on.
StepChoice ChooseStep(const BatchView& view);

}  // namespace enigma::worker
