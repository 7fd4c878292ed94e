#include "eval/code/code_scores.h"

#include <algorithm>

namespace enigma::eval {
namespace {

struct RequestScore {
  uint64_t answers = 0;
  uint64_t passed = 0;
};

TaskScore& ScoreOf(const std::string& name, std::vector<TaskScore>& tasks) {
  const auto found =
      std::find_if(tasks.begin(), tasks.end(), [&name](const TaskScore& task) { return task.name == name; });
  return found != tasks.end() ? *found : tasks.emplace_back(TaskScore{.name = name});
}

}  // namespace

CodeScores ScoreCode(const std::vector<CodeRequest>& requests, const std::vector<CodeResult>& results) {
  CodeScores scores;
  scores.requests = requests.size();
  scores.answers = results.size();
  std::vector<RequestScore> by_request(requests.size());
  for (const CodeResult& result : results) {
    const uint64_t passed = result.run.outcome == RunOutcome::kPassed ? 1 : 0;
    ++by_request[result.request].answers;
    by_request[result.request].passed += passed;
    ++scores.outcomes[static_cast<size_t>(result.run.outcome)];
    scores.cut += result.was_cut ? 1 : 0;
  }
  double at_1 = 0;
  uint64_t any = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto [answers, passed] = by_request[i];
    if (answers > 0) at_1 += static_cast<double>(passed) / static_cast<double>(answers);
    any += passed > 0 ? 1 : 0;
    TaskScore& task = ScoreOf(requests[i].task->name, scores.tasks);
    task.answers += answers;
    task.passed += passed;
  }
  const auto trials = static_cast<double>(requests.size());
  if (requests.empty()) return scores;
  scores.pass_at_1 = at_1 / trials;
  scores.pass_any = static_cast<double>(any) / trials;
  scores.pass_at_1_interval = WilsonInterval(at_1, trials);
  scores.pass_any_interval = WilsonInterval(static_cast<double>(any), trials);
  return scores;
}

}  // namespace enigma::eval
