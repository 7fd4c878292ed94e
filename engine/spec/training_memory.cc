#include "engine/spec/training_memory.h"

#include <algorithm>

#include "engine/spec/lora_targets.h"
#include "engine/spec/training_presets.h"

namespace enigma::engine {
namespace {

// Of a factor of the decoder's products.
uint64_t PackedBytes(const TrainingConfig& config) { return config.precision == ProductPrecision::kF32 ? 4 : 2; }

uint64_t StateBytes(const TrainingConfig& config) {
  // Of what is trained: weights, moments, gradient: 4 bytes each; sums of this rank and of all; and the copy of the
  // state that a leader's checkpoint is, and that a newcomer's state is until it has taken its place.
  const uint64_t trained = TrainedParameterCount(config) * (4 * 4 + 16 + 3 * 4);
  const uint64_t model = ModelParameterCount(config);
  const uint64_t packed = 2 * PackedBytes(config);  // both forms
  if (config.lora.rank == 0) return trained + model * packed;
  // Beside it the model's weights and gradient, the targets as they were, the largest one's gradient packed, and the
  // factors once more.
  uint64_t kept = 0;
  uint64_t largest = 0;
  for (const LoraTarget& target : LoraTargetsOf(config)) {
    kept += config.spec.layer_count() * target.rows * target.cols;
    largest = std::max(largest, target.rows * target.cols);
  }
  return trained + model * (4 + 4 + packed) + 4 * (kept + largest + TrainedParameterCount(config));
}

// Activations of the encoder for the pictures that so many rows of the decoder can belong to.
uint64_t PictureBytes(const TrainingConfig& config, uint64_t rows) {
  if (!config.pictures.used()) return 0;
  const VisionSpec& spec = config.pictures.encoder;
  const uint64_t pictures = rows / (spec.prefix() + 1) + 1;
  uint64_t side = spec.image_size, channels = 3;
  uint64_t floats = side * side * 3 * 2;  // a picture, and its channels side by side
  for (const uint64_t made : spec.stem) {
    side /= 2;
    floats += side * side * (9 * channels * 2 + made * 4);
    channels = made;
  }
  const uint64_t layer = uint64_t{6} * spec.hidden + spec.heads * 2 + uint64_t{2} * spec.ffn;
  const uint64_t scratch = uint64_t{12} * spec.hidden + uint64_t{3} * spec.ffn;
  floats += spec.patches() * (spec.layers * layer + scratch) + uint64_t{5} * spec.prefix() * spec.output;
  return 4 * pictures * floats;
}

uint64_t ActivationBytes(const TrainingConfig& config) {
  const ModelSpec& spec = config.spec;
  const uint64_t sequences = (config.sequences_per_step + config.slots - 1) / config.slots;
  const uint64_t rows = sequences * config.context;
  const uint64_t q = uint64_t{spec.heads} * spec.head_dim;
  const uint64_t qkv = q + uint64_t{2} * spec.kv_heads * spec.head_dim;
  const uint64_t layer = qkv + q + spec.heads * 2 + spec.hidden + uint64_t{2} * spec.ffn;
  const uint64_t kept = config.recompute ? 1 : spec.layer_count();
  const uint64_t scratch = uint64_t{5} * spec.hidden + uint64_t{2} * spec.ffn + q + qkv;
  const uint64_t packed = PackedBytes(config) * rows * spec.ffn;
  const uint64_t logits = std::min(rows * spec.vocab, std::max(uint64_t{2} * spec.vocab, uint64_t{4} << 20));
  return 4 * (rows * (kept * layer + (spec.layer_count() + 1) * uint64_t{spec.hidden} + scratch) + logits) + packed +
         PictureBytes(config, rows);
}

}  // namespace

uint64_t TrainingMemoryBytes(const TrainingConfig& config) { return StateBytes(config) + ActivationBytes(config); }

uint64_t TrainingLaneBytes(const TrainingConfig& config) {
  const uint64_t gradients = ModelParameterCount(config) + (config.lora.rank == 0 ? 0 : TrainedParameterCount(config));
  return ActivationBytes(config) + 4 * gradients;
}

}  // namespace enigma::engine
