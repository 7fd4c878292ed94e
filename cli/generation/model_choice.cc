#include "cli/generation/model_choice.h"

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/generation/cluster_generation.h"
#include "cli/generation/local_model.h"
#include "cli/usage_error.h"

namespace enigma::cli {

ModelChoice::ModelChoice(Command& command) {
  cluster_.AddTo(command);
  command.Text("--model,-m", model_, "the model's name in the cluster, as `enigma models` lists it", "NAME").Utf8();
  command.Text("--local", local_, "run this GGUF file in this process, without a cluster", "PATH");
  local_only_ = {
      command.Number("--threads", threads_, "with --local: threads (default 0: one per core)", "N").Between(0, 1024),
      command
          .Number("--context", context_,
                  "with --local: longest prompt and answer together, in tokens (default: the model's, at most 4096)",
                  "TOKENS")
          .AtLeast(1)};
}

absl::Status ModelChoice::Check() const {
  if (model_.empty() == local_.empty()) {
    return UsageError("name a model of the cluster with --model NAME, or a file with --local PATH");
  }
  for (const Argument& argument : local_only_) {
    if (local_.empty() && argument.given()) {
      return UsageError(argument.name() +
                        " goes with --local; the cluster's nodes decide this with `enigma load` and " +
                        "`enigma worker`");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<AnsweringModel>> ModelChoice::Open() const {
  ENIGMA_RETURN_IF_ERROR(Check());
  if (!local_.empty()) {
    return LocalModel::Open({.path = local_, .threads = threads_, .context = context_});
  }
  ENIGMA_ASSIGN_OR_RETURN(auto client, ClusterClient::Open(cluster_));
  return std::make_unique<ClusterModel>(std::move(client), model_);
}

}  // namespace enigma::cli
