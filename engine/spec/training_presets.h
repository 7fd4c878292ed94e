#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "engine/spec/model_spec.h"
#include "engine/spec/training_config.h"

namespace enigma::engine {

// A decoder's shape by name, and settings that suit it. Widths are multiples of 32, the block of most quantised
// formats.
struct TrainingPreset {
  const char* name;
  uint32_t layers;
  uint32_t hidden;
  uint32_t heads;
  uint32_t kv_heads;
  uint32_t ffn;
  uint32_t context;      // tokens per sequence, unless asked otherwise
  double learning_rate;  // at its peak
  const char* suits;     // for people
};

// From the smallest to the largest, then those for small boards.
std::span<const TrainingPreset> TrainingPresets();
// NotFound names those there are.
absl::StatusOr<TrainingPreset> FindTrainingPreset(std::string_view name);

// A Llama-like decoder of that shape. Tied: the head is the embedding.
ModelSpec SpecOfPreset(const TrainingPreset& preset, uint32_t vocab, uint32_t context, bool tied);

// Of all tensors, embedding and head included.
uint64_t ParameterCount(const ModelSpec& spec);
// With the image encoder, where a job trains one.
uint64_t ModelParameterCount(const TrainingConfig& config);

// Operations of one training step per token: six per parameter that is multiplied with (the embedding counts as the
// head), and causal attention over sequences of `context` tokens, 6 * layers * heads * head_dim * context.
double TrainingFlopsPerToken(const ModelSpec& spec, uint32_t context);

}  // namespace enigma::engine
