#pragma once

#include <cstdint>
#include <vector>

#include "proto/worker.pb.h"

namespace enigma::worker {

// `count` rows of one sequence at positions [first, first + count) in a step.
struct PlannedRun {
  uint64_t sequence = 0;
  uint32_t first = 0;
  uint32_t count = 0;
  bool logits = false;               // its result is due: the token after its last row, or the sequence's embedding
  bool reset_blocks = false;         // the sequence starts over (it was preempted): forget its block table first
  std::vector<uint32_t> new_blocks;  // appended to the sequence's block table before the run
};

// One step of a replica, formed by its first stage and obeyed by all. Stages apply closes, then opens, then runs.
// Every stage sees the steps in one order, so a block that a step takes from one sequence may serve another in that
// step.
struct StepPlan {
  uint64_t step = 0;  // rises by one
  std::vector<uint64_t> closes;
  std::vector<v1::OpenSequence> opens;
  std::vector<PlannedRun> runs;
  std::vector<int32_t> tokens;  // [rows]; known to the first stage only, not sent on
  std::vector<float> given;     // [tokens that are kGivenRow, hidden]; likewise

  uint32_t rows() const {
    uint32_t total = 0;
    for (const PlannedRun& run : runs) total += run.count;
    return total;
  }
};

// What the last stage tells the first about a sequence after a step.
struct SampledToken {
  uint64_t sequence = 0;
  uint32_t position = 0;  // index of the token in its sequence
  int32_t id = 0;         // -1: none, of a sequence with pooling or labels
  bool finished = false;  // no further token is wanted
};

}  // namespace enigma::worker
