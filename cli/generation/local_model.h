#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "cli/generation/generation.h"
#include "engine/sampling/local_generator.h"
#include "engine/text/chat_template.h"

namespace enigma::cli {

// A model file answering in this process, without a cluster. Not thread-safe.
class LocalModel final : public AnsweringModel {
 public:
  struct Options {
    std::string path;      // GGUF
    int threads = 0;       // 0: one per core
    uint32_t context = 0;  // tokens of prompt and answer; 0: the generator's default
  };
  static absl::StatusOr<std::unique_ptr<LocalModel>> Open(const Options& options);

  absl::StatusOr<GenerationResult> Generate(const GenerationRequest& request, const TextSink& sink) override;
  absl::StatusOr<bool> HasChatTemplate() override;

 private:
  LocalModel(std::string name, std::unique_ptr<engine::LocalGenerator> generator);

  const std::string name_;
  absl::StatusOr<std::vector<engine::TokenId>> PromptIds(const GenerationRequest& request);

  const std::unique_ptr<engine::LocalGenerator> generator_;
  std::optional<engine::ChatTemplate> chat_;  // once it was used
};

// Cores that this process may run on.
int AvailableCores();

}  // namespace enigma::cli
