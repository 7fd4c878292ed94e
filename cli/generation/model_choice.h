#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cli/cluster/cluster_flags.h"
#include "cli/command/command.h"
#include "cli/generation/generation.h"

namespace enigma::cli {

// The flags of `generate`, `chat` and `eval` that say which model answers and where.
class ModelChoice {
 public:
  // How a file in place of the cluster's model is named: by --local alone, or also by --model, where the name ends with
  // ".gguf".
  enum class Files { kByLocal, kByEitherFlag };
  explicit ModelChoice(Command& command, Files files = Files::kByLocal);
  // Usage error where both --model and --local were given, or, for `eval`, neither, and for a flag that has no effect
  // there. Opens the model or finds the cluster, whose model is "auto" where none is named.
  absl::StatusOr<std::unique_ptr<AnsweringModel>> Open() const;
  // The usage errors alone, before anything is read or opened.
  absl::Status Check() const;

 private:
  std::string file() const;  // empty for a model of the cluster
  bool routes_by_default() const { return files_ == Files::kByLocal; }

  const Files files_;
  ClusterFlags cluster_;
  std::string model_;
  std::string local_;
  int threads_ = 0;
  uint32_t context_ = 0;
  std::vector<Argument> local_only_;
};

}  // namespace enigma::cli
