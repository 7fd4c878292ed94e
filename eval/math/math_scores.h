#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "eval/math/math_file.h"
#include "eval/wilson_interval.h"

namespace enigma::eval {

// What a model answered to a question.
struct MathResult {
  std::string answer;
  std::string number;    // the answer's last one, as FinalNumber writes it; empty where it has none
  bool right = false;    // it is the expected one
  bool was_cut = false;  // the model was stopped by the limit on its tokens
};

MathResult GradeMath(const MathQuestion& question, std::string_view answer);

// Of the questions of one kind, or of all.
struct MathScore {
  std::string kind;  // as the questions name it
  uint64_t questions = 0;
  uint64_t right = 0;
  uint64_t without_number = 0;  // answers that have none
  uint64_t cut = 0;

  double accuracy() const;  // 0 without questions
  Interval interval() const;
};

struct MathScores {
  MathScore all;
  std::vector<MathScore> kinds;  // in the order in which they first come
};

// One result for each of the questions.
MathScores ScoreMath(const std::vector<MathQuestion>& questions, const std::vector<MathResult>& results);

}  // namespace enigma::eval
