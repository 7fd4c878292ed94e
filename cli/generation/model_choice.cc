#include "cli/generation/model_choice.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/generation/cluster_generation.h"
#include "cli/generation/local_model.h"
#include "cli/usage_error.h"

namespace enigma::cli {

namespace {

constexpr char kAutoModelName[] = "auto";  // docs/routing.md

}  // namespace

ModelChoice::ModelChoice(Command& command, Files files) : files_(files) {
  cluster_.AddTo(command);
  const bool by_either = files == Files::kByEitherFlag;
  command
      .Text("--model,-m", model_,
            absl::StrCat("the model's name in the cluster, as `enigma models` lists it",
                         by_either ? "; one that ends with .gguf is a file, as with --local"
                                   : " (default: auto, the specialist that suits what is asked)"),
            "NAME")
      .Utf8();
  command.Text("--local", local_, "run this GGUF file in this process, without a cluster", "PATH");
  const char* const of_file = by_either ? "of a file: " : "with --local: ";
  local_only_ = {
      command.Number("--threads", threads_, absl::StrCat(of_file, "threads (default 0: one per core)"), "N")
          .Between(0, 1024),
      command
          .Number("--context", context_,
                  absl::StrCat(of_file,
                               "longest prompt and answer together, in tokens (default: the model's, at most 4096)"),
                  "TOKENS")
          .AtLeast(1)};
}

std::string ModelChoice::file() const {
  if (!local_.empty()) return local_;
  return files_ == Files::kByEitherFlag && absl::EndsWith(model_, ".gguf") ? model_ : "";
}

absl::Status ModelChoice::Check() const {
  const bool names_none = model_.empty() && local_.empty();
  if ((names_none && !routes_by_default()) || (!model_.empty() && !local_.empty())) {
    return UsageError("name a model of the cluster with --model NAME, or a file with --local PATH");
  }
  for (const Argument& argument : local_only_) {
    if (file().empty() && argument.given()) {
      return UsageError(argument.name() +
                        " goes with --local; the cluster's nodes decide this with `enigma load` and " +
                        "`enigma worker`");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<AnsweringModel>> ModelChoice::Open() const {
  ENIGMA_RETURN_IF_ERROR(Check());
  if (!file().empty()) {
    return LocalModel::Open({.path = file(), .threads = threads_, .context = context_});
  }
  ENIGMA_ASSIGN_OR_RETURN(auto client, ClusterClient::Open(cluster_));
  return std::make_unique<ClusterModel>(std::move(client), model_.empty() ? kAutoModelName : model_);
}

}  // namespace enigma::cli
