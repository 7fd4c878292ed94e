#include "engine/spec/lora_targets.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "engine/spec/training_presets.h"

namespace enigma::engine {

std::vector<LoraTarget> LoraTargetsOf(const ModelSpec& spec) {
  const uint64_t hidden = spec.hidden;
  const uint64_t q = uint64_t{spec.heads} * spec.head_dim;
  const uint64_t kv = uint64_t{spec.kv_heads} * spec.head_dim;
  return {{"attn_q", q, hidden},         {"attn_k", kv, hidden},         {"attn_v", kv, hidden},
          {"attn_output", hidden, q},    {"ffn_gate", spec.ffn, hidden}, {"ffn_up", spec.ffn, hidden},
          {"ffn_down", hidden, spec.ffn}};
}

std::vector<LoraTarget> LoraTargetsOf(const TrainingConfig& config) {
  std::vector<LoraTarget> targets;
  if (config.lora.rank == 0) return targets;
  const std::vector<std::string>& wanted = config.lora.targets;
  for (const LoraTarget& target : LoraTargetsOf(config.spec)) {
    if (std::find(wanted.begin(), wanted.end(), target.name) != wanted.end()) targets.push_back(target);
  }
  return targets;
}

uint64_t TrainedParameterCount(const TrainingConfig& config) {
  if (config.lora.rank == 0) return ModelParameterCount(config);
  uint64_t layer = 0;
  for (const LoraTarget& target : LoraTargetsOf(config)) layer += config.lora.rank * (target.rows + target.cols);
  return config.spec.layer_count() * layer;
}

absl::Status CheckLoraTargets(const std::vector<std::string>& targets) {
  std::vector<std::string> known;
  for (const LoraTarget& target : LoraTargetsOf(ModelSpec{})) known.emplace_back(target.name);
  for (const std::string& target : targets) {
    if (std::find(known.begin(), known.end(), target) != known.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("training: LoRA has no target '", target, "'; there are ", absl::StrJoin(known, ", ")));
  }
  return absl::OkStatus();
}

absl::Status CheckLora(const TrainingConfig& config) {
  const LoraConfig& lora = config.lora;
  if (lora.rank == 0) return absl::OkStatus();
  if (config.base_model.empty()) return absl::InvalidArgumentError("training: LoRA needs a base model that it adapts");
  if (!(lora.alpha > 0 && lora.alpha <= 1e6F)) {
    return absl::InvalidArgumentError(
        absl::StrCat("training: lora.alpha is ", lora.alpha, ", and must be above 0 and at most 1000000"));
  }
  if (lora.targets.empty())
    return absl::InvalidArgumentError("training: LoRA needs targets, and lora.targets is empty");
  return CheckLoraTargets(lora.targets);
}

}  // namespace enigma::engine
