#include "cli/evaluation/code_report.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include "base/text.h"
#include "cli/evaluation/rate_text.h"

namespace enigma::cli {

namespace {

constexpr size_t kDetailBytes = 70;

std::string OutcomeText(eval::RunOutcome outcome) { return absl::StrReplaceAll(ToAbsl(NameOf(outcome)), {{"_", " "}}); }

Json ResultJson(const CodeReport& report, size_t index) {
  const eval::CodeResult& result = report.results[index];
  const eval::CodeRequest& request = report.requests[result.request];
  return {{"task", request.task->name},      {"prompt", request.prompt},
          {"answer", report.answers[index]}, {"outcome", NameOf(result.run.outcome)},
          {"detail", result.run.detail},     {"cut", result.was_cut}};
}

std::string OutcomesText(const eval::CodeScores& scores) {
  Table table({"OUTCOME", "ANSWERS"}, {1});
  for (size_t i = 0; i < eval::kRunOutcomes; ++i) {
    if (scores.outcomes[i] == 0) continue;
    table.AddRow({OutcomeText(static_cast<eval::RunOutcome>(i)), absl::StrCat(scores.outcomes[i])});
  }
  return table.Render();
}

// The first failure of a task.
const eval::CodeResult* FailureOf(const CodeReport& report, const std::string& task) {
  const auto failed = [&](const eval::CodeResult& result) {
    return result.run.outcome != eval::RunOutcome::kPassed && report.requests[result.request].task->name == task;
  };
  const auto found = std::find_if(report.results.begin(), report.results.end(), failed);
  return found == report.results.end() ? nullptr : &*found;
}

std::string FailuresText(const CodeReport& report) {
  Table table({"TASK", "PASSED", "FAILED BY", "DETAIL"});
  size_t rows = 0;
  for (const eval::TaskScore& task : report.scores.tasks) {
    const eval::CodeResult* failure = FailureOf(report, task.name);
    if (failure == nullptr) continue;
    ++rows;
    table.AddRow({task.name, absl::StrCat(task.passed, " of ", task.answers), OutcomeText(failure->run.outcome),
                  CellText(failure->run.detail, kDetailBytes)});
  }
  return rows == 0 ? "" : "\n" + table.Render();
}

}  // namespace

Json ToJson(const CodeReport& report) {
  const eval::CodeScores& scores = report.scores;
  Json json = {{"model", report.model},         {"data", report.data},
               {"split", report.split},         {"form", report.form},
               {"python", report.python},       {"requests", scores.requests},
               {"samples", report.samples},     {"answers", scores.answers},
               {"pass_at_1", scores.pass_at_1}, {"pass_at_1_interval", IntervalJson(scores.pass_at_1_interval)}};
  if (report.samples > 1) {
    json["pass_any"] = scores.pass_any;
    json["pass_any_interval"] = IntervalJson(scores.pass_any_interval);
  }
  Json outcomes = Json::object();
  for (size_t i = 0; i < eval::kRunOutcomes; ++i) {
    outcomes[std::string(NameOf(static_cast<eval::RunOutcome>(i)))] = scores.outcomes[i];
  }
  json["outcomes"] = std::move(outcomes);
  json["cut"] = scores.cut;
  json["tasks"] = Json::array();
  for (const eval::TaskScore& task : scores.tasks) {
    json["tasks"].push_back({{"name", task.name}, {"answers", task.answers}, {"passed", task.passed}});
  }
  json["results"] = Json::array();
  for (size_t i = 0; i < report.results.size(); ++i) json["results"].push_back(ResultJson(report, i));
  json["tokens"] = report.tokens;
  json["seconds_generating"] = report.seconds_generating;
  return json;
}

std::string ToText(const CodeReport& report) {
  const eval::CodeScores& scores = report.scores;
  const uint64_t passed = scores.outcomes[static_cast<size_t>(eval::RunOutcome::kPassed)];
  std::string text = absl::StrCat(report.model, ": pass@1 ", PercentText(scores.pass_at_1), " (", passed, " of ",
                                  scores.answers, " answers to ", scores.requests, " requests; 95 % interval ",
                                  IntervalText(scores.pass_at_1_interval), ")\n");
  if (report.samples > 1) {
    absl::StrAppend(&text, "at least one of ", report.samples, " answers passes: ", PercentText(scores.pass_any),
                    " of the requests (95 % interval ", IntervalText(scores.pass_any_interval), ")\n");
  }
  if (scores.cut > 0) {
    absl::StrAppend(&text, scores.cut, " answer(s) ended at the limit of tokens; --max-tokens raises it\n");
  }
  return absl::StrCat(text, "\n", OutcomesText(scores), FailuresText(report));
}

}  // namespace enigma::cli
