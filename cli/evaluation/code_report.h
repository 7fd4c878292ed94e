#pragma once

#include <string>
#include <vector>

#include "cli/output/format.h"
#include "eval/code/code_scores.h"

namespace enigma::cli {

// What `enigma eval code` found.
struct CodeReport {
  std::string model;
  std::string data;
  std::string split;
  std::string form;    // how requests were put
  std::string python;  // version
  uint32_t samples = 1;
  std::vector<eval::CodeRequest> requests;  // borrow from tasks that outlive the report
  std::vector<eval::CodeResult> results;
  std::vector<std::string> answers;  // as the model gave them; one for each result
  eval::CodeScores scores;
  double seconds_generating = 0;  // of all answers together; several may have been made at once
  uint64_t tokens = 0;            // of all answers
};

// Keys: model, data, split, form, python, requests, samples, answers, pass_at_1, pass_at_1_interval, with several
// samples pass_any and pass_any_interval, outcomes, cut, tasks, results, tokens, seconds_generating.
Json ToJson(const CodeReport& report);

// For a terminal: pass@1, answers by outcome, the tasks of which an answer failed, with the first failure of each.
std::string ToText(const CodeReport& report);

}  // namespace enigma::cli
