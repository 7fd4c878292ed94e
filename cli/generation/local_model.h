#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "cli/generation/generation.h"
#include "engine/sampling/local_generator.h"

namespace enigma::cli {

// A model file answering in this process, without a cluster. Not thread-safe.
class LocalModel {
 public:
  struct Options {
    std::string path;      // GGUF
    int threads = 0;       // 0: one per core
    uint32_t context = 0;  // tokens of prompt and answer; 0: the generator's default
  };
  static absl::StatusOr<std::unique_ptr<LocalModel>> Open(const Options& options);

  absl::StatusOr<GenerationResult> Generate(const GenerationRequest& request, const TextSink& sink);

 private:
  LocalModel(std::string name, std::unique_ptr<engine::LocalGenerator> generator);

  const std::string name_;
  const std::unique_ptr<engine::LocalGenerator> generator_;
};

// Cores that this process may run on.
int AvailableCores();

}  // namespace enigma::cli
