// `enigma data math`: sums, differences, products and word problems, as many as are wanted.
#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"
#include "cli/output/output_file.h"
#include "cli/usage_error.h"
#include "engine/spec/manifest.h"
#include "eval/math/math_file.h"

namespace enigma::cli {

namespace {

constexpr uint64_t kMathProblemsMax = 1'000'000;

struct DataMathFlags {
  std::string out;
  uint64_t count = 20'000;
  uint64_t seed = 1;
  std::string kinds = "sum,difference,product,word";
  std::string split = "train";
  bool force = false;
  bool json = false;
};

void ReportMathData(const DataMathFlags& flags, const std::vector<eval::MathProblem>& problems,
                    const std::string& lines) {
  std::map<eval::MathKind, uint64_t> counts;
  for (const eval::MathProblem& problem : problems) ++counts[problem.kind];
  Json kinds = Json::object();
  std::string text;
  for (const auto& [kind, count] : counts) {
    kinds[std::string(NameOf(kind))] = count;
    absl::StrAppend(&text, text.empty() ? "" : ", ", ToAbsl(NameOf(kind)), " ", count);
  }
  if (flags.json) {
    PrintJson({{"path", flags.out},
               {"split", flags.split},
               {"seed", flags.seed},
               {"problems", problems.size()},
               {"kinds", kinds},
               {"bytes", lines.size()},
               {"sha256", engine::HexOf(engine::Sha256Of(lines))}});
    return;
  }
  std::printf("%s: %zu problems (%s) of the split %s, %s\n", flags.out.c_str(), problems.size(), text.c_str(),
              flags.split.c_str(), FormatBytes(lines.size()).c_str());
}

absl::Status RunDataMath(const DataMathFlags& flags) {
  absl::StatusOr<std::vector<eval::MathKind>> kinds = eval::ParseMathKinds(flags.kinds);
  if (!kinds.ok()) return UsageError(absl::StrCat("--kinds: ", kinds.status().message()));
  ENIGMA_RETURN_IF_ERROR(CheckOutputFile("--out", flags.out, flags.force));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<eval::MathProblem> problems,
                          eval::MakeMathProblems({.count = flags.count,
                                                  .seed = flags.seed,
                                                  .kinds = *std::move(kinds),
                                                  .split = eval::ParseSplit(flags.split)}));
  const std::string lines = eval::MathLines(problems);
  ENIGMA_RETURN_IF_ERROR(WriteOutputFile(flags.out, lines));
  ReportMathData(flags, problems, lines);
  return absl::OkStatus();
}

}  // namespace

void AddDataMath(Command& data) {
  Command command = data.Add("math", "arithmetic and word problems, made anew (data/math/README.md)");
  auto flags = std::make_shared<DataMathFlags>();
  command.Text("--out,-o", flags->out, "file to write: JSON lines with question, answer and kind", "FILE").Required();
  command.Number("--count", flags->count, "how many problems, no question twice (default 20000)", "N")
      .Between(1, static_cast<double>(kMathProblemsMax));
  command.Number("--seed", flags->seed, "the same seed gives the same file (default 1)", "S");
  command.Text("--kinds", flags->kinds, "which, of sum, difference, product and word (default: all)", "A,B");
  command
      .Text("--split", flags->split,
            "train (default): without what is held out; validation, test: a half each of what is; all: of everything",
            "SPLIT")
      .Among({"train", "validation", "test", "all"});
  command.Switch("--force", flags->force, "replace a file that is there");
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma data math --out math.jsonl",
                    "enigma data math --out test.jsonl --split test --count 500 --kinds sum,difference"});
  command.Does([flags] { return RunDataMath(*flags); });
}

}  // namespace enigma::cli
