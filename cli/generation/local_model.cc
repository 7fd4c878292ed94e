#include "cli/generation/local_model.h"

#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "engine/sampling/constraint/constraint_cache.h"

namespace enigma::cli {

int AvailableCores() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

LocalModel::LocalModel(std::string name, std::unique_ptr<engine::LocalGenerator> generator)
    : name_(std::move(name)), generator_(std::move(generator)) {}

absl::StatusOr<std::unique_ptr<LocalModel>> LocalModel::Open(const Options& options) {
  engine::LocalGenerator::Options generator_options;
  generator_options.threads = options.threads > 0 ? options.threads : AvailableCores();
  generator_options.context = options.context;
  ENIGMA_ASSIGN_OR_RETURN(auto generator, engine::LocalGenerator::Open(options.path, generator_options));
  std::string name = std::filesystem::path(options.path).stem().string();
  return std::unique_ptr<LocalModel>(new LocalModel(std::move(name), std::move(generator)));
}

absl::StatusOr<bool> LocalModel::HasChatTemplate() { return engine::ChatTemplate::IsIn(generator_->metadata()); }

absl::StatusOr<std::vector<engine::TokenId>> LocalModel::PromptIds(const GenerationRequest& request) {
  const engine::Tokenizer& tokenizer = generator_->tokenizer();
  if (!request.chat.empty()) {
    if (!chat_) {
      ENIGMA_ASSIGN_OR_RETURN(chat_, engine::ChatTemplate::FromGguf(generator_->metadata(), tokenizer));
    }
    engine::ChatRequest chat;
    for (const ChatTurn& turn : request.chat) chat.messages.push_back({{"role", turn.role}, {"content", turn.text}});
    ENIGMA_ASSIGN_OR_RETURN(const std::string prompt, chat_->Render(chat));
    return tokenizer.Encode(prompt, {.add_special = false, .parse_special = true});
  }
  if (!request.prompt_ids.empty()) return request.prompt_ids;
  return tokenizer.Encode(request.prompt, {.add_special = true, .parse_special = request.parse_special});
}

absl::StatusOr<GenerationResult> LocalModel::Generate(const GenerationRequest& request, const TextSink& sink) {
  ENIGMA_ASSIGN_OR_RETURN(std::vector<engine::TokenId> ids, PromptIds(request));
  engine::SamplingParams sampling = request.sampling;
  if (request.json_schema) {
    ENIGMA_ASSIGN_OR_RETURN(sampling.constraint,
                            engine::ConstraintCache(generator_->tokenizer()).Get(*request.json_schema));
  }
  ENIGMA_ASSIGN_OR_RETURN(auto made, generator_->Generate(std::move(ids), sampling, sink));
  if (made.finish_reason == "cancelled") return absl::CancelledError("the answer was not wanted to its end");
  GenerationResult result;
  result.model = name_;
  result.prompt_ids = std::move(made.prompt_ids);
  result.ids = std::move(made.ids);
  result.text = std::move(made.text);
  result.finish_reason = std::move(made.finish_reason);
  result.timing.first_token_seconds = absl::ToDoubleSeconds(made.timing.prefill);
  result.timing.total_seconds = absl::ToDoubleSeconds(made.timing.prefill + made.timing.decode);
  result.contract = engine::kCpuContract;
  return result;
}

}  // namespace enigma::cli
