#include "eval/math/math_scores.h"

#include <algorithm>

#include "eval/math/final_number.h"

namespace enigma::eval {
namespace {

void Count(const MathResult& result, MathScore& score) {
  ++score.questions;
  score.right += result.right ? 1 : 0;
  score.without_number += result.number.empty() ? 1 : 0;
  score.cut += result.was_cut ? 1 : 0;
}

}  // namespace

MathResult GradeMath(const MathQuestion& question, std::string_view answer) {
  MathResult result;
  result.answer = answer;
  result.number = FinalNumber(answer).value_or("");
  result.right = result.number == question.number;
  return result;
}

double MathScore::accuracy() const {
  return questions == 0 ? 0 : static_cast<double>(right) / static_cast<double>(questions);
}

Interval MathScore::interval() const {
  return WilsonInterval(static_cast<double>(right), static_cast<double>(questions));
}

MathScores ScoreMath(const std::vector<MathQuestion>& questions, const std::vector<MathResult>& results) {
  MathScores scores;
  for (size_t i = 0; i < questions.size(); ++i) {
    const std::string& kind = questions[i].kind;
    auto found = std::find_if(scores.kinds.begin(), scores.kinds.end(),
                              [&kind](const MathScore& score) { return score.kind == kind; });
    if (found == scores.kinds.end()) found = scores.kinds.insert(scores.kinds.end(), MathScore{.kind = kind});
    Count(results[i], *found);
    Count(results[i], scores.all);
  }
  return scores;
}

}  // namespace enigma::eval
