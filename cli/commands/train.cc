// `enigma train`: sends data to the cluster, which trains a model on them, and shows how that goes.
#include <cstdio>
#include <memory>

#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/training/job_json.h"
#include "cli/training/tokenizer_choice.h"
#include "cli/training/training_flags.h"
#include "cli/training/upload_job.h"
#include "cli/training/watch_job.h"
#include "cli/usage_error.h"

namespace enigma::cli {

namespace {

struct TrainCommand {
  explicit TrainCommand(Command& command) : training(command) { cluster.AddTo(command); }
  ClusterFlags cluster;
  TrainingFlags training;
  std::vector<std::string> data;
  std::string tokenizer;
  std::string tokenizer_model;
  bool dry_run = false;
  bool detach = false;
  bool json = false;
};

absl::Status RunEstimate(ClusterClient& client, const JobUpload& upload, bool json) {
  v1::EstimateJobRequest request;
  *request.mutable_options() = upload.options;
  request.set_tokenizer_model(upload.tokenizer_model);
  if (!upload.tokenizer_path.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(const uint32_t tokens, TokensOf(upload.tokenizer_path));
    request.set_tokenizer_tokens(tokens);
  }
  for (const TrainingFile& file : upload.files) request.set_data_bytes(request.data_bytes() + file.bytes);
  v1::EstimateJobReply estimate;
  const auto context = QuickCall(absl::Minutes(2));  // links may have to be measured
  ENIGMA_RETURN_IF_ERROR(client.Explain(client.training().Estimate(context.get(), request, &estimate)));
  if (json) {
    PrintJson(ToJson(estimate));
    return absl::OkStatus();
  }
  std::printf("shape        %s\n", estimate.shape().c_str());
  std::printf("parameters   %s\n", FormatCount(estimate.parameters()).c_str());
  std::printf("memory       %s per worker\n", FormatBytes(estimate.memory_bytes()).c_str());
  std::printf("workers      %s\n", estimate.nodes().empty() ? "none: nobody has so much memory free"
                                                            : absl::StrJoin(estimate.nodes(), ", ").c_str());
  if (estimate.tokens_per_second() > 0) {
    std::printf("speed        about %.0f tokens/s, %s per step, %.0f %% of it on the wire\n",
                estimate.tokens_per_second(), FormatSeconds(estimate.step_seconds()).c_str(),
                estimate.wire_share() * 100);
  }
  if (estimate.steps() == 0) {
    std::printf("duration     the number of steps follows from the data; name them (--data), or --steps\n");
  } else if (!estimate.nodes().empty()) {
    std::printf("duration     about %s for %llu steps\n", TimeText(estimate.seconds()).c_str(),
                static_cast<unsigned long long>(estimate.steps()));
  }
  for (const std::string& warning : estimate.warnings()) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  return absl::OkStatus();
}

// What became of the data, in a few lines.
void TellReport(const std::string& report_json) {
  const Json report = Parsed(report_json);
  if (!report.is_object()) return;
  const auto count = [&](const char* part, const char* what) {
    return static_cast<unsigned long long>(report.value(part, Json::object()).value(what, uint64_t{0}));
  };
  std::fprintf(stderr, "%llu documents to train on, %llu tokens (%llu of them to be learned); %llu for validation\n",
               count("training", "documents"), count("training", "tokens"), count("training", "trained"),
               count("validation", "documents"));
  for (const Json& dropped : report.value("dropped", Json::array())) {
    const auto examples = dropped.value("examples", std::vector<std::string>());
    std::fprintf(stderr, "left out: %llu (%s), as %s\n",
                 static_cast<unsigned long long>(dropped.value("documents", uint64_t{0})),
                 dropped.value("reason", std::string()).c_str(), absl::StrJoin(examples, ", ").c_str());
  }
}

absl::Status Detach(const v1::SubmitJobProgress& queued, bool json) {
  if (json) {
    Json warnings = Json::array();
    for (const std::string& warning : queued.warnings()) warnings.push_back(warning);
    PrintJson({{"job", queued.job()}, {"warnings", std::move(warnings)}, {"report", Parsed(queued.report_json())}});
    return absl::OkStatus();
  }
  for (const std::string& warning : queued.warnings()) std::fprintf(stderr, "warning: %s\n", warning.c_str());
  std::printf("%llu\n", static_cast<unsigned long long>(queued.job()));
  v1::JobInfo job;
  job.set_job(queued.job());
  std::fputs(WhatNext(job).c_str(), stderr);
  return absl::OkStatus();
}

absl::Status FindData(const TrainCommand& flags, JobUpload& upload) {
  if (upload.options.task() != "vision") {
    ENIGMA_ASSIGN_OR_RETURN(upload.files, FindTrainingFiles(flags.data, upload.options.task() == "router"));
    return absl::OkStatus();
  }
  if (flags.data.size() > 1) {
    return UsageError("--data: for --task vision one folder, with captions.jsonl and the pictures that it names");
  }
  ENIGMA_ASSIGN_OR_RETURN(CaptionedPictures found, FindCaptionedPictures(flags.data.front()));
  upload.files = {std::move(found.captions)};
  upload.pictures = std::move(found.pictures);
  return absl::OkStatus();
}

absl::Status RunTrain(const TrainCommand& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const TokenizerChoice tokenizer, ParseTokenizerChoice(flags.tokenizer));
  ENIGMA_ASSIGN_OR_RETURN(v1::TrainingOptions options, flags.training.Resolve(tokenizer));
  if (options.model().empty() && flags.dry_run) options.set_model("model");  // nothing gets that name
  if (options.model().empty()) return UsageError("--name is missing: what to call the model that is made");
  if (options.size().empty() && options.base_model().empty()) return UsageError("give --size or --base");
  if (!flags.dry_run && flags.data.empty()) return UsageError("--data is missing: files or folders to learn from");
  CallStopper stopper;
  JobUpload upload;
  upload.options = options;
  upload.tokenizer_path = tokenizer.path;
  upload.tokenizer_model = flags.tokenizer_model;
  if (!flags.data.empty()) ENIGMA_RETURN_IF_ERROR(FindData(flags, upload));
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  if (flags.dry_run) return RunEstimate(*client, upload, flags.json);
  ENIGMA_ASSIGN_OR_RETURN(const v1::SubmitJobProgress queued, SubmitJob(*client, upload, stopper));
  if (!flags.json) TellReport(queued.report_json());
  if (flags.detach) return Detach(queued, flags.json);
  const WatchOutput output = flags.json ? WatchOutput::kQuiet : WatchOutput::kLines;
  ENIGMA_ASSIGN_OR_RETURN(v1::JobInfo job, FollowJob(*client, queued.job(), 0, output, stopper));
  job.set_job(queued.job());  // also where Ctrl-C came before the first word of it
  if (flags.json) PrintJson(ToJson(job));
  ENIGMA_RETURN_IF_ERROR(OutcomeOf(job));
  if (!flags.json) std::fputs(WhatNext(job).c_str(), HasEnded(job) ? stdout : stderr);
  return absl::OkStatus();
}

}  // namespace

void AddTrain(Command& root) {
  Command command = root.Add("train", "train a model on the cluster");
  auto flags = std::make_shared<TrainCommand>(command);
  command.Texts(
      "--data", flags->data,
      "what to learn from, may be repeated: a file, or a folder with .txt, .md and .jsonl files; for --task router "
      "labelled texts: label<TAB>text lines, Q: and A: lines, or JSON lines with \"label\" and \"text\"; for --task "
      "vision a folder with captions.jsonl, JSON lines with \"image\" and \"caption\", and the pictures",
      "PATH");
  Argument tokenizer = command.Text("--tokenizer", flags->tokenizer,
                                    "chars: the characters of the data; bpe:N: N tokens trained on the data (default "
                                    "bpe:4096; a router bpe:2048); else a GGUF file whose tokenizer is taken",
                                    "KIND|FILE");
  tokenizer.Excludes(
      command.Text("--tokenizer-model", flags->tokenizer_model, "registered model likewise", "MODEL").Utf8());
  command.Switch("--dry-run", flags->dry_run, "only say what it would take: shape, memory, time");
  command.Switch("--detach", flags->detach, "return once the job is queued");
  command.Switch("--json", flags->json, "the job as JSON, once it has ended");
  command.Examples({"enigma train --data stories/ --size tiny --name stories --epochs 4",
                    "enigma train --data intents.tsv --task router",
                    "enigma train --data scenes/train --task vision --size nano --name seer",
                    "enigma train --data chats.jsonl --size micro --name helper --task chat --detach",
                    "enigma train --data shakespeare.txt --tokenizer chars --size nano --name bard",
                    "enigma train --size small --name big --steps 10000 --dry-run"});
  command.Does([flags] { return RunTrain(*flags); });
}

}  // namespace enigma::cli
