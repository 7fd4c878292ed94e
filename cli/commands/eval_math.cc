// `enigma eval math`: how often the number with which a model's answer ends is the right one.
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/evaluation/math_report.h"
#include "cli/evaluation/print_report.h"
#include "cli/evaluation/question_asker.h"
#include "cli/input/read_text.h"
#include "cli/output/progress.h"
#include "cli/usage_error.h"

namespace enigma::cli {

namespace {

constexpr uint32_t kMathTokens = 128;

struct EvalMathCommand {
  explicit EvalMathCommand(Command& command) : questions(command, kMathTokens) {}
  QuestionFlags questions;
  std::string data;
  uint64_t count = 500;
  uint64_t problem_seed = 1;
  std::string kinds = "sum,difference,product,word";
  std::string split = "test";
  bool json = false;
};

absl::StatusOr<std::vector<eval::MathQuestion>> QuestionsFor(const EvalMathCommand& flags) {
  if (!flags.data.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(const std::string text, ReadText(flags.data));
    return eval::ParseMathQuestions(text, flags.data);
  }
  absl::StatusOr<std::vector<eval::MathKind>> kinds = eval::ParseMathKinds(flags.kinds);
  if (!kinds.ok()) return UsageError(absl::StrCat("--kinds: ", kinds.status().message()));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<eval::MathProblem> problems,
                          eval::MakeMathProblems({.count = flags.count,
                                                  .seed = flags.problem_seed,
                                                  .kinds = *std::move(kinds),
                                                  .split = eval::ParseSplit(flags.split)}));
  return eval::QuestionsOf(problems);
}

absl::Status AskAllQuestions(QuestionAsker& asker, MathReport& report) {
  Progress progress("asking");
  uint64_t right = 0;
  std::vector<Question> questions;
  for (const eval::MathQuestion& question : report.questions) questions.push_back({question.question});
  return asker.AskAll(questions, [&](size_t index, absl::StatusOr<GenerationResult> answer) -> absl::Status {
    if (!answer.ok()) {
      return absl::Status(answer.status().code(), absl::StrCat("question ", index + 1, " of ", questions.size(), ": ",
                                                               answer.status().message()));
    }
    eval::MathResult result = eval::GradeMath(report.questions[index], answer->text);
    result.was_cut = answer->finish_reason == "length";
    right += result.right ? 1 : 0;
    report.results.push_back(std::move(result));
    report.model = answer->model;
    report.tokens += answer->ids.size();
    report.seconds_generating += answer->timing.total_seconds;
    progress.Update(report.results.size(), questions.size(), absl::StrCat(right, " right"));
    return absl::OkStatus();
  });
}

absl::Status RunEvalMath(const EvalMathCommand& flags) {
  ENIGMA_RETURN_IF_ERROR(flags.questions.Check());
  MathReport report;
  ENIGMA_ASSIGN_OR_RETURN(report.questions, QuestionsFor(flags));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<QuestionAsker> asker, flags.questions.Open());
  report.data = flags.data.empty() ? absl::StrCat("made: ", flags.count, " of ", flags.kinds, ", split ", flags.split,
                                                  ", seed ", flags.problem_seed)
                                   : flags.data;
  report.form = NameOf(asker->form());
  ENIGMA_RETURN_IF_ERROR(AskAllQuestions(*asker, report));
  report.scores = eval::ScoreMath(report.questions, report.results);
  PrintReport(report, flags.json);
  return absl::OkStatus();
}

}  // namespace

void AddEvalMath(Command& eval) {
  Command command = eval.Add("math", "how often the number with which an answer ends is right");
  auto flags = std::make_shared<EvalMathCommand>(command);
  const Argument data = command.Text(
      "--data", flags->data,
      "questions whose answers end with a number: JSON lines with question, answer and perhaps kind, or Q: "
      "and A: lines (default: problems are made, as by `enigma data math`)",
      "FILE");
  command.Number("--count", flags->count, "how many problems are made (default 500)", "N")
      .Between(1, 1'000'000)
      .Excludes(data);
  command.Number("--problem-seed", flags->problem_seed, "the same one gives the same problems (default 1)", "S")
      .Excludes(data);
  command.Text("--kinds", flags->kinds, "which are made, of sum, difference, product and word (default: all)", "A,B")
      .Excludes(data);
  command
      .Text("--split", flags->split,
            "which are made: test (default), validation: a half each of what training leaves out; train; all", "SPLIT")
      .Among({"test", "validation", "train", "all"})
      .Excludes(data);
  command.Switch("--json", flags->json, "as JSON, with every answer");
  command.Examples({"enigma eval math --model maths", "enigma eval math --local math.gguf --kinds sum,difference",
                    "enigma eval math --model chat --data word_problems.jsonl --max-tokens 512 --json"});
  command.Does([flags] { return RunEvalMath(*flags); });
}

}  // namespace enigma::cli
