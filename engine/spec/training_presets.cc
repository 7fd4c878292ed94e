#include "engine/spec/training_presets.h"

#include <array>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace enigma::engine {
namespace {

constexpr std::array kPresets = {
    // name, layers, hidden, heads, kv heads, ffn, context, learning rate, suits
    TrainingPreset{"nano", 4, 128, 4, 4, 352, 256, 3e-3, "routers, labels, first tries: minutes on a laptop"},
    TrainingPreset{"micro", 5, 160, 5, 5, 448, 256, 2e-3, "short answers from a few thousand lines"},
    TrainingPreset{"tiny", 6, 256, 8, 8, 704, 256, 1.5e-3, "simple text and specialists: an hour on a few cores"},
    TrainingPreset{"small", 8, 512, 8, 8, 1376, 512, 8e-4, "stories, code of one kind"},
    TrainingPreset{"medium", 12, 768, 12, 12, 2048, 1024, 6e-4, "as large as GPT-2's smallest"},
    TrainingPreset{"large", 16, 1024, 16, 16, 2816, 1024, 4e-4, "several machines for a day"},
    TrainingPreset{"xl", 24, 1536, 24, 8, 4096, 2048, 3e-4, "GPUs"},
    TrainingPreset{"xxl", 32, 2048, 32, 8, 5632, 2048, 3e-4, "GPUs"},
    TrainingPreset{"3b", 28, 3072, 24, 8, 8192, 4096, 3e-4, "several GPUs"},
    TrainingPreset{"8b", 32, 4096, 32, 8, 14336, 4096, 3e-4, "several GPUs"},
    TrainingPreset{"13b", 40, 5120, 40, 8, 13824, 4096, 2e-4, "many GPUs"},
    TrainingPreset{"34b", 48, 8192, 64, 8, 22016, 4096, 1.5e-4, "many GPUs"},
    TrainingPreset{"omega", 80, 8192, 64, 8, 28672, 8192, 1.5e-4, "many GPUs for weeks: 70 billion parameters"},
    TrainingPreset{"pi_zero", 3, 96, 3, 3, 256, 128, 3e-3, "boards with 512 MB"},
    TrainingPreset{"pi_4", 5, 192, 6, 6, 512, 256, 2e-3, "boards with four slow cores"},
    TrainingPreset{"pi_5", 6, 320, 10, 10, 896, 256, 1.5e-3, "boards with four faster cores"},
};

}  // namespace

std::span<const TrainingPreset> TrainingPresets() { return kPresets; }

absl::StatusOr<TrainingPreset> FindTrainingPreset(std::string_view name) {
  std::string known;
  for (const TrainingPreset& preset : kPresets) {
    if (name == preset.name) return preset;
    absl::StrAppend(&known, known.empty() ? "" : ", ", preset.name);
  }
  return absl::NotFoundError(
      absl::StrCat("no size is called \"", absl::string_view(name.data(), name.size()), "\"; there are ", known));
}

ModelSpec SpecOfPreset(const TrainingPreset& preset, uint32_t vocab, uint32_t context, bool tied) {
  ModelSpec spec;
  spec.architecture = "llama";
  spec.name = preset.name;
  spec.hidden = preset.hidden;
  spec.ffn = preset.ffn;
  spec.heads = preset.heads;
  spec.kv_heads = preset.kv_heads;
  spec.head_dim = preset.hidden / preset.heads;
  spec.vocab = vocab;
  spec.context = context;
  spec.tied_embeddings = tied;
  spec.rope.dimensions = spec.head_dim;
  spec.layers.assign(preset.layers, LayerSpec{});
  return spec;
}

uint64_t ModelParameterCount(const TrainingConfig& config) {
  const uint64_t encoder = config.pictures.used() ? VisionParameterCount(config.pictures.encoder) : 0;
  return ParameterCount(config.spec) + encoder;
}

uint64_t ParameterCount(const ModelSpec& spec) {
  const uint64_t q = uint64_t{spec.heads} * spec.head_dim;
  const uint64_t kv = uint64_t{spec.kv_heads} * spec.head_dim;
  uint64_t layer = spec.hidden * (2 * q + 2 * kv) + uint64_t{3} * spec.hidden * spec.ffn + uint64_t{2} * spec.hidden;
  if (spec.qkv_bias) layer += q + 2 * kv;
  if (spec.qk_norm) layer += uint64_t{2} * spec.head_dim;
  const uint64_t embedding = uint64_t{spec.vocab} * spec.hidden;
  return spec.layer_count() * layer + embedding * (spec.tied_embeddings ? 1 : 2) + spec.hidden;
}

double TrainingFlopsPerToken(const ModelSpec& spec, uint32_t context) {
  const uint64_t embedding = uint64_t{spec.vocab} * spec.hidden;
  const uint64_t multiplied = ParameterCount(spec) - (spec.tied_embeddings ? 0 : embedding);
  return 6.0 * static_cast<double>(multiplied) +
         6.0 * spec.layer_count() * static_cast<double>(uint64_t{spec.heads} * spec.head_dim) * context;
}

}  // namespace enigma::engine
