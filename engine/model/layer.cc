#include "engine/model/layer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kernels/swiglu.h"
#include "engine/model/tensor_loading.h"

namespace enigma::engine {
namespace {

absl::StatusOr<Projection> LoadProjection(const WeightSource& weights, uint32_t layer,
                                          std::initializer_list<std::string_view> suffixes, size_t inner,
                                          ThreadPool& pool) {
  std::vector<StoredTensor> tensors;
  for (const std::string_view suffix : suffixes) {
    ENIGMA_ASSIGN_OR_RETURN(tensors.emplace_back(), weights.Tensor(LayerTensorName(layer, suffix)));
  }
  return Projection::Load(tensors, inner, pool);
}

absl::StatusOr<AlignedBuffer<float>> LoadQkvBias(const WeightSource& weights, const ModelSpec& spec, uint32_t layer) {
  const size_t q = size_t{spec.heads} * spec.head_dim;
  const size_t kv = size_t{spec.kv_heads} * spec.head_dim;
  AlignedBuffer<float> joined(q + 2 * kv);
  size_t offset = 0;
  for (const auto& [suffix, count] :
       {std::pair{"attn_q.bias", q}, std::pair{"attn_k.bias", kv}, std::pair{"attn_v.bias", kv}}) {
    ENIGMA_ASSIGN_OR_RETURN(const AlignedBuffer<float> part,
                            LoadVector(weights, LayerTensorName(layer, suffix), count));
    std::copy_n(part.data(), count, joined.data() + offset);
    offset += count;
  }
  return joined;
}

// Moves row keep[i] to row i; keep rises, so no row is overwritten before it is read.
void KeepRows(const std::vector<size_t>& keep, size_t stride, float* rows) {
  for (size_t i = 0; i < keep.size(); ++i) {
    if (keep[i] != i) std::memcpy(rows + i * stride, rows + keep[i] * stride, stride * sizeof(float));
  }
}

// The same rows as runs of their sequences.
std::vector<AttentionRun> KeptRuns(const std::vector<AttentionRun>& runs, const std::vector<size_t>& keep) {
  std::vector<AttentionRun> kept;
  size_t run = 0;
  for (size_t i = 0; i < keep.size(); ++i) {
    while (keep[i] >= runs[run].row + runs[run].count) ++run;
    if (i > 0 && keep[i] == keep[i - 1] + 1 && keep[i] > runs[run].row) {
      ++kept.back().count;
      continue;
    }
    const auto position = static_cast<uint32_t>(runs[run].first + (keep[i] - runs[run].row));
    kept.push_back({.row = i, .first = position, .count = 1, .blocks = runs[run].blocks});
  }
  return kept;
}

}  // namespace

absl::StatusOr<Layer> Layer::Load(const WeightSource& weights, const ModelSpec& spec, uint32_t index,
                                  ThreadPool& pool) {
  Layer layer;
  layer.spec_ = &spec;
  layer.window_ = spec.layers[index].window;
  const auto vector = [&](std::string_view suffix, size_t count) {
    return LoadVector(weights, LayerTensorName(index, suffix), count);
  };
  ENIGMA_ASSIGN_OR_RETURN(layer.attention_norm_, vector("attn_norm.weight", spec.hidden));
  ENIGMA_ASSIGN_OR_RETURN(layer.ffn_norm_, vector("ffn_norm.weight", spec.hidden));
  if (spec.qk_norm) {
    ENIGMA_ASSIGN_OR_RETURN(layer.query_norm_, vector("attn_q_norm.weight", spec.head_dim));
    ENIGMA_ASSIGN_OR_RETURN(layer.key_norm_, vector("attn_k_norm.weight", spec.head_dim));
  }
  if (spec.qkv_bias) {
    ENIGMA_ASSIGN_OR_RETURN(layer.qkv_bias_, LoadQkvBias(weights, spec, index));
  }
  const auto projection = [&](std::initializer_list<std::string_view> suffixes, size_t inner) {
    return LoadProjection(weights, index, suffixes, inner, pool);
  };
  const size_t attention_width = size_t{spec.heads} * spec.head_dim;
  ENIGMA_ASSIGN_OR_RETURN(layer.qkv_, projection({"attn_q.weight", "attn_k.weight", "attn_v.weight"}, spec.hidden));
  ENIGMA_ASSIGN_OR_RETURN(layer.attention_output_, projection({"attn_output.weight"}, attention_width));
  ENIGMA_ASSIGN_OR_RETURN(layer.gate_up_, projection({"ffn_gate.weight", "ffn_up.weight"}, spec.hidden));
  ENIGMA_ASSIGN_OR_RETURN(layer.down_, projection({"ffn_down.weight"}, spec.ffn));
  return layer;
}

void Layer::NormHeads(size_t rows, size_t heads, const float* weight, float* x, size_t stride, ThreadPool& pool) const {
  const size_t width = spec_->head_dim;
  const float epsilon = spec_->norm_epsilon;
  if (rows < heads) {
    for (size_t row = 0; row < rows; ++row) {
      float* first = x + row * stride;
      RmsNorm(first, width, weight, epsilon, heads, width, first, width, pool);
    }
  } else {
    for (size_t head = 0; head < heads; ++head) {
      float* first = x + head * width;
      RmsNorm(first, stride, weight, epsilon, rows, width, first, stride, pool);
    }
  }
}

void Layer::ProjectQkv(size_t rows, const RopeTable& rope, Workspace& workspace, ThreadPool& pool) const {
  Workspace& w = workspace;
  RmsNorm(w.x.data(), w.hidden, attention_norm_.data(), spec_->norm_epsilon, rows, w.hidden, w.normed.data(), w.hidden,
          pool);
  w.activations.Set(w.normed.data(), rows, w.hidden, w.hidden, qkv_.needs_quantised(), pool);
  float* const q = w.qkv.data();
  qkv_.Apply(w.activations, q, w.qkv_width, pool);
  if (spec_->qkv_bias) AddBias(q, w.qkv_width, qkv_bias_.data(), rows, w.qkv_width, pool);
  if (spec_->qk_norm) {
    NormHeads(rows, spec_->heads, query_norm_.data(), q, w.qkv_width, pool);
    NormHeads(rows, spec_->kv_heads, key_norm_.data(), q + w.attention_width, w.qkv_width, pool);
  }
  // Keys lie right behind the queries, so one call turns both.
  Rope(q, w.qkv_width, rows, spec_->heads + spec_->kv_heads, spec_->head_dim, w.positions.data(), rope,
       spec_->rope.pairing, pool);
}

void Layer::FeedForward(size_t rows, Workspace& workspace, ThreadPool& pool) const {
  Workspace& w = workspace;
  RmsNorm(w.x.data(), w.hidden, ffn_norm_.data(), spec_->norm_epsilon, rows, w.hidden, w.normed.data(), w.hidden, pool);
  w.activations.Set(w.normed.data(), rows, w.hidden, w.hidden, gate_up_.needs_quantised(), pool);
  float* const gate = w.gate_up.data();
  const size_t stride = 2 * w.ffn;
  gate_up_.Apply(w.activations, gate, stride, pool);
  SwiGlu(gate, stride, gate + w.ffn, stride, rows, w.ffn, gate, stride, pool);
  w.activations.Set(gate, rows, w.ffn, stride, down_.needs_quantised(), pool);
  down_.Apply(w.activations, w.projected.data(), w.hidden, pool);
  AddRows(w.x.data(), w.hidden, w.projected.data(), w.hidden, rows, w.hidden, pool);
}

void Layer::Forward(size_t rows, const KvLayerView& kv, const RopeTable& rope, const std::vector<size_t>* keep,
                    Workspace& workspace, ThreadPool& pool) const {
  Workspace& w = workspace;
  ProjectQkv(rows, rope, w, pool);
  const float* k = w.qkv.data() + w.attention_width;
  StoreKv(kv, w.runs, k, k + w.kv_width, w.qkv_width, pool);
  std::vector<AttentionRun> kept_runs;
  if (keep != nullptr) {
    if (keep->empty()) return;
    kept_runs = KeptRuns(w.runs, *keep);
    KeepRows(*keep, w.qkv_width, w.qkv.data());
    KeepRows(*keep, w.hidden, w.x.data());
    rows = keep->size();
  }
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec_->head_dim)));
  Attention(kv, keep == nullptr ? w.runs : kept_runs, w.qkv.data(), w.qkv_width, spec_->heads, scale, window_,
            w.attention.data(), w.attention_width, pool);
  w.activations.Set(w.attention.data(), rows, w.attention_width, w.attention_width, attention_output_.needs_quantised(),
                    pool);
  attention_output_.Apply(w.activations, w.projected.data(), w.hidden, pool);
  AddRows(w.x.data(), w.hidden, w.projected.data(), w.hidden, rows, w.hidden, pool);
  FeedForward(rows, w, pool);
}

uint64_t Layer::bytes() const {
  const size_t floats =
      attention_norm_.size() + ffn_norm_.size() + query_norm_.size() + key_norm_.size() + qkv_bias_.size();
  return qkv_.bytes() + attention_output_.bytes() + gate_up_.bytes() + down_.bytes() + floats * sizeof(float);
}

}  // namespace enigma::engine
