// `enigma eval code`: how often a model's programs pass their tests.
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/evaluation/code_report.h"
#include "cli/evaluation/print_report.h"
#include "cli/evaluation/question_asker.h"
#include "cli/input/code_task_file.h"
#include "cli/output/progress.h"
#include "cli/usage_error.h"
#include "eval/code/answer_code.h"

namespace enigma::cli {

namespace {

constexpr uint32_t kCodeTokens = 256;  // twice what the longest of the shipped solutions needs

struct EvalCodeCommand {
  explicit EvalCodeCommand(Command& command) : questions(command, kCodeTokens) {}
  QuestionFlags questions;
  std::string data = kShippedCodeTasks;
  std::string split = "test";
  uint32_t samples = 1;
  uint32_t limit = 0;
  eval::SandboxLimits limits;
  uint32_t memory_mib = 512;
  bool json = false;
};

eval::SandboxLimits LimitsOf(const EvalCodeCommand& flags) {
  eval::SandboxLimits limits = flags.limits;
  limits.wall_seconds = 4 * limits.cpu_seconds;  // generous: other work may hold the cores
  limits.memory_bytes = uint64_t{flags.memory_mib} << 20;
  return limits;
}

absl::Status AnswerAll(const eval::PythonSandbox& sandbox, QuestionAsker& asker, CodeReport& report) {
  Progress progress("writing programs");
  uint64_t passed = 0;
  const uint64_t total = report.requests.size() * report.samples;
  std::vector<Question> questions;
  for (const eval::CodeRequest& request : report.requests) {
    for (uint32_t sample = 0; sample < report.samples; ++sample) {
      questions.push_back({std::string(request.prompt), sample});
    }
  }
  return asker.AskAll(questions, [&](size_t index, absl::StatusOr<GenerationResult> answer) -> absl::Status {
    const size_t i = index / report.samples;
    const eval::CodeRequest& request = report.requests[i];
    if (!answer.ok()) {
      return absl::Status(answer.status().code(), absl::StrCat("task ", request.task->name, ", answer ", index + 1,
                                                               " of ", total, ": ", answer.status().message()));
    }
    ENIGMA_ASSIGN_OR_RETURN(eval::TestRun run, sandbox.Run(eval::CodeInAnswer(answer->text), request.task->tests));
    passed += run.outcome == eval::RunOutcome::kPassed ? 1 : 0;
    report.results.push_back({.request = i, .run = std::move(run), .was_cut = answer->finish_reason == "length"});
    report.answers.push_back(std::move(answer->text));
    report.model = answer->model;
    report.tokens += answer->ids.size();
    report.seconds_generating += answer->timing.total_seconds;
    progress.Update(report.results.size(), total, absl::StrCat(passed, " passed"));
    return absl::OkStatus();
  });
}

absl::Status RunEvalCode(const EvalCodeCommand& flags) {
  ENIGMA_RETURN_IF_ERROR(flags.questions.Check());
  if (flags.samples > 1 && flags.questions.is_greedy()) {
    return UsageError("--samples: greedy answers are all the same; give --temperature too, such as 0.8");
  }
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<eval::CodeTask> tasks, ReadCodeTasks(flags.data));
  // Before the model: it costs little, and without it nothing can be judged.
  ENIGMA_ASSIGN_OR_RETURN(const eval::PythonSandbox sandbox, eval::PythonSandbox::Create(LimitsOf(flags)));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<QuestionAsker> asker, flags.questions.Open());
  CodeReport report;
  report.data = flags.data;
  report.split = flags.split;
  report.form = NameOf(asker->form());
  report.python = sandbox.interpreter().version;
  report.samples = flags.samples;
  report.requests = eval::RequestsOf(tasks, eval::ParseSplit(flags.split));
  if (report.requests.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flags.data, " has no request of the split ", flags.split, "; choose another one with --split"));
  }
  if (flags.limit > 0 && flags.limit < report.requests.size()) report.requests.resize(flags.limit);
  ENIGMA_RETURN_IF_ERROR(AnswerAll(sandbox, *asker, report));
  report.scores = eval::ScoreCode(report.requests, report.results);
  PrintReport(report, flags.json);
  return absl::OkStatus();
}

}  // namespace

void AddEvalCode(Command& eval) {
  Command command = eval.Add("code", "pass@1 of a model's Python programs, which are run in a sandbox");
  auto flags = std::make_shared<EvalCodeCommand>(command);
  command.Text("--data", flags->data, "tasks with their wordings and tests (default data/code/tasks.jsonl)", "FILE");
  command
      .Text("--split", flags->split,
            "test (default): the wording of each task that training leaves out; train: the others; all", "SPLIT")
      .Among({"test", "train", "all"});
  command.Number("--limit", flags->limit, "only the first so many requests", "N").AtLeast(1);
  command.Number("--samples", flags->samples, "answers to each request, with --temperature above 0 (default 1)", "N")
      .Between(1, 1000);
  command
      .Number("--timeout", flags->limits.cpu_seconds,
              "seconds that a program may compute, and four times that by the clock (default 5)", "S")
      .Between(1, 3600);
  command
      .Number("--memory", flags->memory_mib, "MiB that a program may take, the interpreter's included (default 512)",
              "MIB")
      .Between(64, 65536);
  command.Switch("--json", flags->json, "as JSON, with every answer");
  command.Examples(
      {"enigma eval code --model coder", "enigma eval code --local code.gguf --samples 10 --temperature 0.8 --json"});
  command.Does([flags] { return RunEvalCode(*flags); });
}

}  // namespace enigma::cli
