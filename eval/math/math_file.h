#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "eval/math/math_problems.h"

namespace enigma::eval {

// What a training job reads: an object with "question", "answer" and "kind" per line.
std::string MathLines(const std::vector<MathProblem>& problems);

// A question whose answer ends with a number.
struct MathQuestion {
  std::string question;
  std::string answer;
  std::string number;  // the answer's last one, as FinalNumber writes it
  std::string kind;    // as the file names it; empty where it does not
};

// Of JSON lines with "question", "answer" and perhaps "kind", such as MathLines writes, or of "Q:" and "A:" lines.
// InvalidArgument "NAME:LINE: what is wrong": among others an answer without a number.
absl::StatusOr<std::vector<MathQuestion>> ParseMathQuestions(std::string_view text, std::string_view file_name);

// The same of problems that were just made.
std::vector<MathQuestion> QuestionsOf(const std::vector<MathProblem>& problems);

}  // namespace enigma::eval
