#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "eval/code/code_tasks.h"
#include "eval/sandbox/python_sandbox.h"
#include "eval/wilson_interval.h"

namespace enigma::eval {

// What became of one answer.
struct CodeResult {
  size_t request = 0;  // index into the requests
  TestRun run;
  bool was_cut = false;  // the model was stopped by the limit on its tokens
};

struct TaskScore {
  std::string name;
  uint64_t answers = 0;
  uint64_t passed = 0;
};

// How good a model's programs are. With several answers to a request, pass@1 is the chance that one of them, picked at
// random, passes, and pass_any the share of requests of which at least one passed: pass@k of Chen et al., "Evaluating
// Large Language Models Trained on Code" (2021), for k = 1 and k = all.
struct CodeScores {
  uint64_t requests = 0;
  uint64_t answers = 0;
  uint64_t cut = 0;
  std::array<uint64_t, kRunOutcomes> outcomes = {};  // answers by RunOutcome
  double pass_at_1 = 0;
  Interval pass_at_1_interval;  // over requests
  double pass_any = 0;
  Interval pass_any_interval;
  std::vector<TaskScore> tasks;  // in the order of the requests
};

// Every request has as many results as every other, in any order.
CodeScores ScoreCode(const std::vector<CodeRequest>& requests, const std::vector<CodeResult>& results);

}  // namespace enigma::eval
