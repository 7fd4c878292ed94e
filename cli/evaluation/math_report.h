#pragma once

#include <string>
#include <vector>

#include "cli/output/format.h"
#include "eval/math/math_scores.h"

namespace enigma::cli {

// What `enigma eval math` found.
struct MathReport {
  std::string model;
  std::string data;  // the file, or how the problems were made
  std::string form;  // how questions were put
  std::vector<eval::MathQuestion> questions;
  std::vector<eval::MathResult> results;  // one for each
  eval::MathScores scores;
  double seconds_generating = 0;  // of all answers together; several may have been made at once
  uint64_t tokens = 0;            // of all answers
};

// Keys: model, data, form, questions, right, accuracy, accuracy_interval, without_number, cut, kinds (each with the
// same), results, tokens, seconds_generating.
Json ToJson(const MathReport& report);

// For a terminal: the accuracy of all and of each kind, and the first wrong answers.
std::string ToText(const MathReport& report);

}  // namespace enigma::cli
