#include "engine/training/layer_weights.h"

#include <absl/strings/str_cat.h>

#include "base/text.h"

namespace enigma::engine {

LayerOffsets OffsetsOf(const ParameterLayout& layout, const ModelSpec& spec, uint32_t layer, const LayerNames& names) {
  const auto offset_of = [&](uint32_t index, const char* suffix) {
    return layout.Find(std::string(absl::StrCat(ToAbsl(names.prefix), index, ".", suffix)))->offset;
  };
  const auto offset = [&](const char* suffix) { return offset_of(layer, suffix); };
  LayerOffsets offsets;
  offsets.begin = offsets.attention_norm = offset("attn_norm.weight");
  offsets.qkv = offset("attn_q.weight");
  if (spec.qkv_bias) offsets.qkv_bias = offset("attn_q.bias");
  if (spec.qk_norm) {
    offsets.query_norm = offset("attn_q_norm.weight");
    offsets.key_norm = offset("attn_k_norm.weight");
  }
  offsets.attention_output = offset("attn_output.weight");
  offsets.ffn_norm = offset("ffn_norm.weight");
  offsets.gate_up = offset("ffn_gate.weight");
  offsets.down = offset("ffn_down.weight");
  offsets.end =
      layer + 1 < spec.layer_count() ? offset_of(layer + 1, "attn_norm.weight") : layout.Find(names.end)->offset;
  return offsets;
}

absl::Status CheckTrainable(const ModelSpec& spec) {
  // So that query, key and value (weights and biases), and gate and up, lie side by side without a gap.
  constexpr uint32_t kMultiple = 16;
  if (spec.hidden % kMultiple != 0 || spec.head_dim % 8 != 0 ||
      (spec.qkv_bias && spec.kv_heads * spec.head_dim % kMultiple != 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a model ", spec.hidden, " wide with heads of ", spec.head_dim,
                     " cannot be trained: the width must be a multiple of 16 and heads of 8"));
  }
  if (spec.rope.dimensions > spec.head_dim || spec.rope.dimensions % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("rotation of ", spec.rope.dimensions, " elements does not fit heads of ", spec.head_dim));
  }
  return absl::OkStatus();
}

void LayerPanels::Set(const float* weights, const LayerOffsets& offsets, const ModelSpec& spec, ThreadPool& pool) {
  const size_t q = size_t{spec.heads} * spec.head_dim;
  const size_t kv = size_t{spec.kv_heads} * spec.head_dim;
  qkv.Set(weights + offsets.qkv, q + 2 * kv, spec.hidden, pool);
  attention_output.Set(weights + offsets.attention_output, spec.hidden, q, pool);
  gate_up.Set(weights + offsets.gate_up, size_t{2} * spec.ffn, spec.hidden, pool);
  down.Set(weights + offsets.down, spec.hidden, spec.ffn, pool);
}

}  // namespace enigma::engine
