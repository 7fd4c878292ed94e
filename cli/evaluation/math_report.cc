#include "cli/evaluation/math_report.h"

#include <absl/strings/str_cat.h>

#include "cli/evaluation/rate_text.h"

namespace enigma::cli {

namespace {

constexpr size_t kMistakesShown = 10;
constexpr size_t kQuestionBytes = 70;
constexpr size_t kAnswerBytes = 40;

Json ScoreJson(const eval::MathScore& score) {
  return {{"questions", score.questions},           {"right", score.right},
          {"accuracy", score.accuracy()},           {"accuracy_interval", IntervalJson(score.interval())},
          {"without_number", score.without_number}, {"cut", score.cut}};
}

std::string KindText(const std::string& kind) { return kind.empty() ? "other" : kind; }

std::string KindsText(const eval::MathScores& scores) {
  Table table({"KIND", "QUESTIONS", "RIGHT", "ACCURACY", "95 % INTERVAL"}, {1, 2, 3, 4});
  for (const eval::MathScore& score : scores.kinds) {
    table.AddRow({KindText(score.kind), absl::StrCat(score.questions), absl::StrCat(score.right),
                  PercentText(score.accuracy()), IntervalText(score.interval())});
  }
  return table.Render();
}

std::string MathMistakesText(const MathReport& report) {
  const uint64_t mistakes = report.scores.all.questions - report.scores.all.right;
  if (mistakes == 0) return "";
  Table table({"QUESTION", "EXPECTED", "ANSWER"}, {1});
  size_t shown = 0;
  for (size_t i = 0; i < report.results.size() && shown < kMistakesShown; ++i) {
    if (report.results[i].right) continue;
    ++shown;
    table.AddRow({CellText(report.questions[i].question, kQuestionBytes), report.questions[i].number,
                  CellText(report.results[i].answer, kAnswerBytes)});
  }
  std::string text = "\n" + table.Render();
  if (mistakes > shown) absl::StrAppend(&text, mistakes - shown, " more wrong answers; --json has all\n");
  return text;
}

}  // namespace

Json ToJson(const MathReport& report) {
  Json json = {{"model", report.model}, {"data", report.data}, {"form", report.form}};
  json.update(ScoreJson(report.scores.all));
  json["kinds"] = Json::array();
  for (const eval::MathScore& score : report.scores.kinds) {
    Json kind = {{"kind", KindText(score.kind)}};
    kind.update(ScoreJson(score));
    json["kinds"].push_back(std::move(kind));
  }
  json["results"] = Json::array();
  for (size_t i = 0; i < report.results.size(); ++i) {
    const eval::MathQuestion& question = report.questions[i];
    const eval::MathResult& result = report.results[i];
    json["results"].push_back({{"question", question.question},
                               {"kind", KindText(question.kind)},
                               {"expected", question.number},
                               {"number", result.number.empty() ? Json(nullptr) : Json(result.number)},
                               {"answer", result.answer},
                               {"right", result.right},
                               {"cut", result.was_cut}});
  }
  json["tokens"] = report.tokens;
  json["seconds_generating"] = report.seconds_generating;
  return json;
}

std::string ToText(const MathReport& report) {
  const eval::MathScore& all = report.scores.all;
  std::string text = absl::StrCat(report.model, ": ", PercentText(all.accuracy()), " right (", all.right, " of ",
                                  all.questions, " questions; 95 % interval ", IntervalText(all.interval()), ")\n");
  if (all.without_number > 0) absl::StrAppend(&text, all.without_number, " answer(s) have no number\n");
  if (all.cut > 0) {
    absl::StrAppend(&text, all.cut, " answer(s) ended at the limit of tokens; --max-tokens raises it\n");
  }
  return absl::StrCat(text, "\n", KindsText(report.scores), MathMistakesText(report));
}

}  // namespace enigma::cli
