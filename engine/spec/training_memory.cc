#include "engine/spec/training_memory.h"

#include <algorithm>

#include "engine/spec/training_presets.h"

namespace enigma::engine {

uint64_t TrainingMemoryBytes(const TrainingConfig& config) {
  const ModelSpec& spec = config.spec;
  // Weights, moments, gradient: 4 bytes each; both packed forms; sums of this rank and of all.
  const uint64_t state = ParameterCount(spec) * (4 * 4 + 8 + 16);
  const uint64_t sequences = (config.sequences_per_step + config.slots - 1) / config.slots;
  const uint64_t rows = sequences * config.context;
  const uint64_t q = uint64_t{spec.heads} * spec.head_dim;
  const uint64_t qkv = q + uint64_t{2} * spec.kv_heads * spec.head_dim;
  const uint64_t layer = qkv + q + spec.heads * 2 + spec.hidden + uint64_t{2} * spec.ffn;
  const uint64_t kept = config.recompute ? 1 : spec.layer_count();
  const uint64_t scratch = uint64_t{5} * spec.hidden + uint64_t{3} * spec.ffn + q + qkv;
  const uint64_t logits = std::max<uint64_t>(spec.vocab, std::min<uint64_t>(rows * spec.vocab, uint64_t{4} << 20));
  return state + 4 * (rows * (kept * layer + (spec.layer_count() + 1) * uint64_t{spec.hidden} + scratch) + logits);
}

}  // namespace enigma::engine
