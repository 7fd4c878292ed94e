// `enigma eval router`: how often a router is right, and whether its confidence means what it says.
#include <algorithm>
#include <chrono>
#include <memory>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/evaluation/print_report.h"
#include "cli/evaluation/router_report.h"
#include "cli/generation/local_model.h"
#include "cli/input/read_text.h"
#include "cli/output/progress.h"
#include "engine/corpus/labelled_texts.h"
#include "engine/sampling/local_router.h"

namespace enigma::cli {

namespace {

constexpr char kUsualHard[] = "code,math,vision";
constexpr char kUsualEasy[] = "chat,small";

struct EvalRouterFlags {
  std::string model;
  std::vector<std::string> data;
  double held_out = 0;
  std::string hard = kUsualHard;
  std::string easy = kUsualEasy;
  int threads = 1;
  std::string format;
  bool json = false;
};

// Labels that mean that none is right, where the router has none of that name.
constexpr const char* kOutOfScope[] = {"oos", "none"};

struct Reading {
  std::vector<std::string> contents;      // of the files
  std::vector<engine::CorpusFile> files;  // borrow from them
  engine::LabelledCorpus corpus;
};

absl::StatusOr<std::unique_ptr<Reading>> ReadData(const EvalRouterFlags& flags) {
  auto reading = std::make_unique<Reading>();
  engine::ReaderOptions options;
  if (!flags.format.empty()) options.format = engine::ParseCorpusFormat(flags.format).value_or(options.format);
  for (const std::string& path : flags.data) {
    ENIGMA_ASSIGN_OR_RETURN(std::string content, ReadText(path));
    reading->contents.push_back(std::move(content));
  }
  for (size_t i = 0; i < flags.data.size(); ++i) reading->files.push_back({flags.data[i], reading->contents[i]});
  for (size_t i = 0; i < flags.data.size(); ++i) {
    ENIGMA_RETURN_IF_ERROR(
        engine::ReadLabelledTexts(reading->files[i], static_cast<uint32_t>(i), options, reading->corpus.texts)
            .status());
  }
  return reading;
}

std::optional<size_t> IndexOf(const std::string& label, const engine::RouterSpec& router) {
  const auto found = std::find(router.labels.begin(), router.labels.end(), label);
  if (found == router.labels.end()) return std::nullopt;
  return static_cast<size_t>(found - router.labels.begin());
}

// As the training of the router did it: without the texts that stand there again. Texts under labels that it has not
// were none of its training's, and stay.
absl::Status KeepHeldOut(double share, const engine::RouterSpec& router, Reading& reading) {
  engine::DropRepeatedTexts(reading.files, reading.corpus);
  std::vector<engine::LabelledText>& texts = reading.corpus.texts;
  const std::vector<bool> held = engine::HeldOut(texts, share);
  std::vector<engine::LabelledText> kept;
  for (size_t i = 0; i < held.size(); ++i) {
    if (held[i] || !IndexOf(texts[i].label, router)) kept.push_back(std::move(texts[i]));
  }
  if (kept.empty()) return absl::InvalidArgumentError("--held-out: the data are too few to hold any out");
  texts = std::move(kept);
  return absl::OkStatus();
}

std::string LabelsShown(const engine::RouterSpec& router) {
  constexpr size_t kShownMax = 12;
  const auto end = router.labels.begin() + static_cast<ptrdiff_t>(std::min(router.labels.size(), kShownMax));
  return absl::StrCat(absl::StrJoin(router.labels.begin(), end, ", "),
                      router.labels.size() > kShownMax ? absl::StrCat(", ... (", router.labels.size(), ")") : "");
}

// The index of each text's label; nothing where it is out of scope.
absl::StatusOr<std::vector<std::optional<size_t>>> TruthsOf(const Reading& reading, const engine::RouterSpec& router) {
  std::vector<std::optional<size_t>> truths;
  for (const engine::LabelledText& text : reading.corpus.texts) {
    truths.push_back(IndexOf(text.label, router));
    const bool out_of_scope =
        std::find(std::begin(kOutOfScope), std::end(kOutOfScope), text.label) != std::end(kOutOfScope);
    if (truths.back() || out_of_scope) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(reading.files[text.file].name, ":", text.line, ": the router has no label '", text.label,
                     "'; it has ", LabelsShown(router), ". Texts that belong to none are labelled oos"));
  }
  return truths;
}

// Labels of the list that the router has. It must have those that a user names; of the usual ones it may have some.
absl::StatusOr<std::vector<size_t>> IndicesOf(const char* flag, const std::vector<std::string>& names, bool usual,
                                              const engine::RouterSpec& router) {
  std::vector<size_t> indices;
  for (const std::string& name : names) {
    const std::optional<size_t> index = IndexOf(name, router);
    if (index) indices.push_back(*index);
    if (!index && !usual) {
      return absl::InvalidArgumentError(
          absl::StrCat(flag, ": the router has no label '", name, "'; it has ", LabelsShown(router)));
    }
  }
  return indices;
}

// The labels of hard and of easy work.
struct WorkSets {
  std::vector<size_t> hard;
  std::vector<size_t> easy;
};

absl::StatusOr<WorkSets> FindWorkSets(const EvalRouterFlags& flags, RouterReport& report) {
  WorkSets sets;
  report.hard = absl::StrSplit(flags.hard, ',', absl::SkipWhitespace());
  report.easy = absl::StrSplit(flags.easy, ',', absl::SkipWhitespace());
  ENIGMA_ASSIGN_OR_RETURN(sets.hard, IndicesOf("--hard", report.hard, flags.hard == kUsualHard, report.router));
  ENIGMA_ASSIGN_OR_RETURN(sets.easy, IndicesOf("--easy", report.easy, flags.easy == kUsualEasy, report.router));
  for (const size_t index : sets.hard) {
    if (std::find(sets.easy.begin(), sets.easy.end(), index) == sets.easy.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--hard and --easy: label '", report.router.labels[index], "' cannot be both"));
  }
  return sets;
}

absl::StatusOr<std::vector<eval::RouterAnswer>> AskAll(const Reading& reading, engine::LocalRouter& router,
                                                       std::vector<double>& seconds) {
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<std::optional<size_t>> truths, TruthsOf(reading, router.spec()));
  std::vector<eval::RouterAnswer> answers;
  Progress progress("classifying");
  for (size_t i = 0; i < truths.size(); ++i) {
    const auto start = std::chrono::steady_clock::now();
    ENIGMA_ASSIGN_OR_RETURN(const engine::LabelScores scores, router.Classify(reading.corpus.texts[i].text));
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    eval::RouterAnswer answer;
    answer.truth = truths[i];
    answer.predicted = scores.best;
    answer.confidence = scores.confidence;
    if (answer.truth) answer.truth_probability = scores.probabilities[*answer.truth];
    answers.push_back(answer);
    progress.Update(answers.size(), truths.size());
  }
  return answers;
}

absl::Status RunEvalRouter(const EvalRouterFlags& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<Reading> reading, ReadData(flags));
  engine::ThreadPool pool(flags.threads > 0 ? flags.threads : AvailableCores());
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::LocalRouter> router,
                          engine::LocalRouter::Open(flags.model, pool));
  if (flags.held_out > 0) ENIGMA_RETURN_IF_ERROR(KeepHeldOut(flags.held_out, router->spec(), *reading));
  RouterReport report;
  report.model = flags.model;
  report.router = router->spec();
  ENIGMA_ASSIGN_OR_RETURN(const WorkSets sets, FindWorkSets(flags, report));
  std::vector<double> seconds;
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<eval::RouterAnswer> answers, AskAll(*reading, *router, seconds));
  std::sort(seconds.begin(), seconds.end());
  report.metrics = eval::MeasureRouter(answers, report.router.labels.size());
  report.at_threshold = eval::MeasureThreshold(answers, report.router.threshold);
  report.hard_to_easy = eval::CountSetMistakes(answers, sets.hard, sets.easy, report.router.threshold);
  report.easy_to_hard = eval::CountSetMistakes(answers, sets.easy, sets.hard, report.router.threshold);
  report.seconds_median = seconds[seconds.size() / 2];
  report.seconds_p99 = seconds[seconds.size() * 99 / 100];
  PrintReport(report, flags.json);
  return absl::OkStatus();
}

}  // namespace

void AddEvalRouter(Command& eval) {
  Command command = eval.Add("router", "accuracy, calibration and mistakes of a router on labelled texts");
  auto flags = std::make_shared<EvalRouterFlags>();
  command.Text("--model,-m", flags->model, "GGUF file of a router", "PATH").Required().ExistingFile();
  command
      .Texts("--data", flags->data,
             "labelled texts, may be repeated: label<TAB>text lines, Q: and A: lines, or JSON lines with \"label\" and "
             "\"text\"; those labelled oos, or none, are out of scope where the router has no such label",
             "FILE")
      .Required();
  command
      .Text("--format", flags->format, "of the data: auto (default), labels (label<TAB>text lines), qa, jsonl", "KIND")
      .Among({"auto", "labels", "qa", "jsonl"});
  command
      .Number("--held-out", flags->held_out,
              "only this share of each label's texts: those that `enigma train --task router` keeps for validation "
              "with --validation-share (default there 0.1)",
              "SHARE")
      .Between(0.001, 0.49);
  command.Text("--hard", flags->hard, "labels of work for large models (default code,math,vision)", "A,B");
  command.Text("--easy", flags->easy, "labels of work for small ones (default chat,small)", "A,B");
  command.Number("-t,--threads", flags->threads, "threads; 0: one per core (default 1)").Between(0, 1024);
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma eval router --model router.gguf --data intents.tsv --held-out 0.1",
                    "enigma eval router --model router.gguf --data test.jsonl --json"});
  command.Does([flags] { return RunEvalRouter(*flags); });
}

}  // namespace enigma::cli
