#include "engine/vision/vision_layer.h"

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/kernels/full_attention.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kernels/swiglu.h"
#include "engine/model/tensor_loading.h"

namespace enigma::engine {

VisionWorkspace::VisionWorkspace(const VisionSpec& spec)
    : x(size_t{spec.patches()} * spec.hidden),
      normed(x.size()),
      qkv(3 * x.size()),
      attention(x.size()),
      gate_up(size_t{spec.patches()} * 2 * spec.ffn),
      projected(x.size()) {}

absl::StatusOr<Projection> LoadVisionProjection(const WeightSource& weights, std::initializer_list<std::string> tensors,
                                                size_t inner, ThreadPool& pool) {
  std::vector<StoredTensor> stored;
  for (const std::string& name : tensors) {
    ENIGMA_ASSIGN_OR_RETURN(stored.emplace_back(), weights.Tensor(name));
  }
  return Projection::Load(stored, inner, pool);
}

absl::StatusOr<VisionLayer> VisionLayer::Load(const WeightSource& weights, const VisionSpec& spec, uint32_t index,
                                              ThreadPool& pool) {
  const std::string block = absl::StrCat("v.blk.", index, ".");
  VisionLayer layer;
  ENIGMA_ASSIGN_OR_RETURN(layer.attention_norm_, LoadVector(weights, block + "attn_norm.weight", spec.hidden));
  ENIGMA_ASSIGN_OR_RETURN(layer.ffn_norm_, LoadVector(weights, block + "ffn_norm.weight", spec.hidden));
  ENIGMA_ASSIGN_OR_RETURN(
      layer.qkv_,
      LoadVisionProjection(weights, {block + "attn_q.weight", block + "attn_k.weight", block + "attn_v.weight"},
                           spec.hidden, pool));
  ENIGMA_ASSIGN_OR_RETURN(layer.attention_output_,
                          LoadVisionProjection(weights, {block + "attn_output.weight"}, spec.hidden, pool));
  ENIGMA_ASSIGN_OR_RETURN(
      layer.gate_up_,
      LoadVisionProjection(weights, {block + "ffn_gate.weight", block + "ffn_up.weight"}, spec.hidden, pool));
  ENIGMA_ASSIGN_OR_RETURN(layer.down_, LoadVisionProjection(weights, {block + "ffn_down.weight"}, spec.ffn, pool));
  return layer;
}

void VisionLayer::Attend(const VisionSpec& spec, VisionWorkspace& workspace, ThreadPool& pool) const {
  VisionWorkspace& w = workspace;
  const size_t rows = spec.patches(), hidden = spec.hidden, stride = 3 * hidden;
  RmsNorm(w.x.data(), hidden, attention_norm_.data(), spec.norm_epsilon, rows, hidden, w.normed.data(), hidden, pool);
  w.activations.Set(w.normed.data(), rows, hidden, hidden, qkv_.needs_quantised(), pool);
  const float* q = w.qkv.data();
  qkv_.Apply(w.activations, w.qkv.data(), stride, pool);
  const CausalAttentionShape shape = {
      .heads = spec.heads,
      .kv_heads = spec.heads,
      .head_dim = spec.head_dim(),
      .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec.head_dim()))),
      .window = 0,
  };
  const std::array<uint32_t, 2> picture = {0, spec.patches()};
  FullAttention(shape, picture, q, stride, q + hidden, stride, q + 2 * hidden, stride, w.attention.data(), hidden,
                nullptr, pool);
  w.activations.Set(w.attention.data(), rows, hidden, hidden, attention_output_.needs_quantised(), pool);
  attention_output_.Apply(w.activations, w.projected.data(), hidden, pool);
  AddRows(w.x.data(), hidden, w.projected.data(), hidden, rows, hidden, pool);
}

void VisionLayer::FeedForward(const VisionSpec& spec, VisionWorkspace& workspace, ThreadPool& pool) const {
  VisionWorkspace& w = workspace;
  const size_t rows = spec.patches(), hidden = spec.hidden, stride = 2 * size_t{spec.ffn};
  RmsNorm(w.x.data(), hidden, ffn_norm_.data(), spec.norm_epsilon, rows, hidden, w.normed.data(), hidden, pool);
  w.activations.Set(w.normed.data(), rows, hidden, hidden, gate_up_.needs_quantised(), pool);
  float* const gate = w.gate_up.data();
  gate_up_.Apply(w.activations, gate, stride, pool);
  SwiGlu(gate, stride, gate + spec.ffn, stride, rows, spec.ffn, gate, stride, pool);
  w.activations.Set(gate, rows, spec.ffn, stride, down_.needs_quantised(), pool);
  down_.Apply(w.activations, w.projected.data(), hidden, pool);
  AddRows(w.x.data(), hidden, w.projected.data(), hidden, rows, hidden, pool);
}

void VisionLayer::Forward(const VisionSpec& spec, VisionWorkspace& workspace, ThreadPool& pool) const {
  Attend(spec, workspace, pool);
  FeedForward(spec, workspace, pool);
}

uint64_t VisionLayer::bytes() const {
  return qkv_.bytes() + attention_output_.bytes() + gate_up_.bytes() + down_.bytes() +
         (attention_norm_.size() + ffn_norm_.size()) * sizeof(float);
}

}  // namespace enigma::engine
