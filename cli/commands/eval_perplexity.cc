// `enigma eval perplexity`: how well a model predicts a text.
#include <cmath>
#include <filesystem>
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/evaluation/perplexity_report.h"
#include "cli/evaluation/print_report.h"
#include "cli/generation/local_model.h"
#include "cli/input/read_text.h"
#include "cli/output/progress.h"
#include "cli/usage_error.h"
#include "engine/sampling/text_scorer.h"

namespace enigma::cli {

namespace {

struct EvalPerplexityFlags {
  std::string model;
  std::string data;
  engine::TextScorer::Options scorer = {.threads = 0};
  bool json = false;
};

absl::Status CheckPerplexityModel(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return absl::OkStatus();
  return UsageError(absl::StrCat(
      "--model: there is no file ", path,
      "; a likelihood is computed in this process from a GGUF file, because a cluster tells those of its own "
      "tokens alone, not those of a given text"));
}

absl::Status RunEvalPerplexity(const EvalPerplexityFlags& flags) {
  ENIGMA_RETURN_IF_ERROR(CheckPerplexityModel(flags.model));
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, ReadText(flags.data));
  engine::TextScorer::Options options = flags.scorer;
  if (options.threads == 0) options.threads = AvailableCores();
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::TextScorer> scorer,
                          engine::TextScorer::Open(flags.model, options));
  const std::vector<engine::TokenId> ids = scorer->tokenizer().Encode(text, {});
  Progress progress("scoring");
  const auto score = scorer->ScoreIds(ids, [&progress](uint64_t scored, uint64_t total) {
    progress.Update(scored, total, absl::StrCat(total, " tokens"));
  });
  progress.Finish();
  if (!score.ok()) return absl::Status(score.status().code(), absl::StrCat(flags.data, ": ", score.status().message()));
  PerplexityReport report;
  report.model = std::filesystem::path(flags.model).stem().string();
  report.data = flags.data;
  report.score = *score;
  report.context = scorer->context();
  report.stride = scorer->stride();
  report.has_begin = scorer->has_begin();
  const std::string unscored = scorer->has_begin() ? "" : scorer->tokenizer().TokenBytes(ids.front(), true);
  CountText(text, unscored, report);
  PrintReport(report, flags.json);
  return absl::OkStatus();
}

}  // namespace

void AddEvalPerplexity(Command& eval) {
  Command command = eval.Add("perplexity", "how well a model file predicts a text, token by token");
  auto flags = std::make_shared<EvalPerplexityFlags>();
  command.Text("--model,--local,-m", flags->model, "GGUF file, which runs in this process", "PATH").Required();
  command.Text("--data", flags->data, "text to predict, UTF-8; - reads standard input", "FILE").Required();
  command
      .Number("--context", flags->scorer.context,
              "tokens of a window, in which the text is read (default: the model's context, at most 4096)", "TOKENS")
      .AtLeast(1);
  command
      .Number("--stride", flags->scorer.stride,
              "tokens that a window scores; what it reads before them overlaps with the last one (default: all)",
              "TOKENS")
      .AtLeast(1);
  command.Number("--threads,-t", flags->scorer.threads, "threads (default 0: one per core)", "N").Between(0, 1024);
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma eval perplexity --model model.gguf --data book.txt",
                    "enigma eval perplexity --model model.gguf --data book.txt --context 512 --stride 256 --json"});
  command.Does([flags] { return RunEvalPerplexity(*flags); });
}

}  // namespace enigma::cli
