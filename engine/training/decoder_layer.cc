#include "engine/training/decoder_layer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/kernels/causal_attention_backward.h"
#include "engine/kernels/column_sums.h"
#include "engine/kernels/full_attention.h"
#include "engine/kernels/full_attention_backward.h"
#include "engine/kernels/rms_norm.h"
#include "engine/kernels/rms_norm_backward.h"
#include "engine/kernels/rope_backward.h"
#include "engine/kernels/swiglu.h"
#include "engine/kernels/swiglu_backward.h"

namespace enigma::engine {
namespace {

// Places of dropout in a layer, counted from the slot's stream.
constexpr uint64_t kAfterAttention = 0;
constexpr uint64_t kAfterFeedForward = 1;

}  // namespace

DecoderLayer::DecoderLayer(const ModelSpec& spec, const LayerOffsets& offsets, const LayerSight& sight,
                           ProductPrecision precision, ThreadPool& pool)
    : spec_(spec),
      offsets_(offsets),
      sight_(sight),
      pool_(pool),
      hidden_(spec.hidden),
      attention_width_(size_t{spec.heads} * spec.head_dim),
      kv_width_(size_t{spec.kv_heads} * spec.head_dim),
      qkv_width_(attention_width_ + 2 * kv_width_),
      attention_{.heads = spec.heads,
                 .kv_heads = spec.kv_heads,
                 .head_dim = spec.head_dim,
                 .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec.head_dim))),
                 .window = sight.window},
      panels_(std::make_shared<LayerPanels>(precision)) {}

void DecoderLayer::SetWeights(const float* weights) {
  weights_ = weights;
  panels_->Set(weights, offsets_, spec_, pool_);
}

void DecoderLayer::ShareWeights(const DecoderLayer& owner) {
  weights_ = owner.weights_;
  panels_ = owner.panels_;
}

void DecoderLayer::AddBranch(const SlotRows& slot, const float* x, const float* in, const ProductPanels& w,
                             uint64_t place, LayerScratch& scratch, float* out) const {
  const MatrixView left{in, w.forward.k(), 1};
  if (slot.dropout == 0) {
    Gemm(left, slot.rows, w.forward, out, hidden_, x, pool_);
    return;
  }
  float* branch = scratch.branch.Reserve(slot.rows * hidden_);
  Gemm(left, slot.rows, w.forward, branch, hidden_, nullptr, pool_);
  Dropout(branch, hidden_, slot.rows, hidden_, slot.dropout, {slot.dropout_seed, slot.dropout_stream + place}, 0,
          pool_);
  std::memcpy(out, x, slot.rows * hidden_ * sizeof(float));
  AddRows(out, hidden_, branch, hidden_, slot.rows, hidden_, pool_);
}

const float* DecoderLayer::BranchGradient(const SlotRows& slot, const float* d_x, uint64_t place,
                                          LayerScratch& scratch) const {
  if (slot.dropout == 0) return d_x;
  float* branch = scratch.branch.Reserve(slot.rows * hidden_);
  std::memcpy(branch, d_x, slot.rows * hidden_ * sizeof(float));
  Dropout(branch, hidden_, slot.rows, hidden_, slot.dropout, {slot.dropout_seed, slot.dropout_stream + place}, 0,
          pool_);
  return branch;
}

void DecoderLayer::NormHeads(const SlotRows& slot, LayerActivations& kept) const {
  float* qkv = kept.qkv.data();
  std::memcpy(kept.qkv_raw.Reserve(slot.rows * qkv_width_), qkv, slot.rows * qkv_width_ * sizeof(float));
  for (size_t head = 0; head < size_t{spec_.heads} + spec_.kv_heads; ++head) {
    const float* norm = weights_ + (head < spec_.heads ? offsets_.query_norm : offsets_.key_norm);
    float* first = qkv + head * spec_.head_dim;
    RmsNorm(first, qkv_width_, norm, spec_.norm_epsilon, slot.rows, spec_.head_dim, first, qkv_width_, pool_);
  }
}

void DecoderLayer::NormHeadsBackward(const SlotRows& slot, const LayerActivations& kept, float* d_qkv,
                                     float* gradient) const {
  std::fill_n(gradient + offsets_.query_norm, spec_.head_dim, 0.0F);
  std::fill_n(gradient + offsets_.key_norm, spec_.head_dim, 0.0F);
  for (size_t head = 0; head < size_t{spec_.heads} + spec_.kv_heads; ++head) {
    const size_t norm = head < spec_.heads ? offsets_.query_norm : offsets_.key_norm;
    float* d_first = d_qkv + head * spec_.head_dim;
    RmsNormBackward(d_first, qkv_width_, kept.qkv_raw.data() + head * spec_.head_dim, qkv_width_, weights_ + norm,
                    spec_.norm_epsilon, slot.rows, spec_.head_dim, d_first, qkv_width_, gradient + norm, pool_);
  }
}

void DecoderLayer::AttentionForward(const SlotRows& slot, const float* x, LayerActivations& kept,
                                    LayerScratch& scratch) const {
  const size_t rows = slot.rows;
  float* normed = scratch.normed.Reserve(rows * hidden_);
  RmsNorm(x, hidden_, weights_ + offsets_.attention_norm, spec_.norm_epsilon, rows, hidden_, normed, hidden_, pool_);
  float* qkv = kept.qkv.Reserve(rows * qkv_width_);
  Gemm({normed, hidden_, 1}, rows, panels_->qkv.forward, qkv, qkv_width_, nullptr, pool_);
  if (spec_.qkv_bias) AddBias(qkv, qkv_width_, weights_ + offsets_.qkv_bias, rows, qkv_width_, pool_);
  if (spec_.qk_norm) NormHeads(slot, kept);
  if (sight_.rope != nullptr) {
    Rope(qkv, qkv_width_, rows, spec_.heads + spec_.kv_heads, spec_.head_dim, slot.positions.data(), *sight_.rope,
         spec_.rope.pairing, pool_);
  }
  const float* k = qkv + attention_width_;
  const auto attend = sight_.ahead ? FullAttention : CausalAttention;
  attend(attention_, slot.starts, qkv, qkv_width_, k, qkv_width_, k + kv_width_, qkv_width_,
         kept.attention.Reserve(rows * attention_width_), attention_width_,
         kept.softmax.Reserve(rows * spec_.heads * 2), pool_);
}

void DecoderLayer::Forward(const SlotRows& slot, const float* x, LayerActivations& kept, LayerScratch& scratch,
                           float* out) const {
  const size_t rows = slot.rows;
  AttentionForward(slot, x, kept, scratch);
  float* middle = kept.middle.Reserve(rows * hidden_);
  AddBranch(slot, x, kept.attention.data(), panels_->attention_output, kAfterAttention, scratch, middle);

  float* normed = scratch.normed.data();
  RmsNorm(middle, hidden_, weights_ + offsets_.ffn_norm, spec_.norm_epsilon, rows, hidden_, normed, hidden_, pool_);
  const size_t ffn = spec_.ffn;
  float* gate = kept.gate_up.Reserve(rows * 2 * ffn);
  Gemm({normed, hidden_, 1}, rows, panels_->gate_up.forward, gate, 2 * ffn, nullptr, pool_);
  float* activated = scratch.activated.Reserve(rows * ffn);
  SwiGlu(gate, 2 * ffn, gate + ffn, 2 * ffn, rows, ffn, activated, ffn, pool_);
  AddBranch(slot, middle, activated, panels_->down, kAfterFeedForward, scratch, out);
}

void DecoderLayer::WeightGradient(const SlotRows& slot, const float* d_out, size_t outputs, const float* in,
                                  size_t inputs, LayerScratch& scratch, float* d_w) const {
  scratch.inputs.Set({in, inputs, 1}, slot.rows, inputs, pool_);
  Gemm({d_out, 1, outputs}, outputs, scratch.inputs, d_w, inputs, nullptr, pool_);
}

void DecoderLayer::NormBackward(const SlotRows& slot, const float* x, size_t norm, float* d_normed, float* d_x,
                                float* gradient) const {
  std::fill_n(gradient + norm, hidden_, 0.0F);
  RmsNormBackward(d_normed, hidden_, x, hidden_, weights_ + norm, spec_.norm_epsilon, slot.rows, hidden_, d_normed,
                  hidden_, gradient + norm, pool_);
  AddRows(d_x, hidden_, d_normed, hidden_, slot.rows, hidden_, pool_);
}

void DecoderLayer::FeedForwardBackward(const SlotRows& slot, LayerActivations& kept, LayerScratch& scratch, float* d_x,
                                       float* gradient) const {
  const size_t rows = slot.rows;
  const size_t ffn = spec_.ffn;
  const float* middle = kept.middle.data();
  float* gate = kept.gate_up.data();
  float* up = gate + ffn;
  const float* d_branch = BranchGradient(slot, d_x, kAfterFeedForward, scratch);
  float* d_activated = scratch.d_activated.Reserve(rows * ffn);
  Gemm({d_branch, hidden_, 1}, rows, panels_->down.backward, d_activated, ffn, nullptr, pool_);
  float* activated = scratch.activated.Reserve(rows * ffn);
  SwiGluBackward(d_activated, ffn, gate, 2 * ffn, up, 2 * ffn, rows, ffn, gate, 2 * ffn, up, 2 * ffn, activated, pool_);
  WeightGradient(slot, d_branch, hidden_, activated, ffn, scratch, gradient + offsets_.down);

  float* normed = scratch.normed.Reserve(rows * hidden_);
  RmsNorm(middle, hidden_, weights_ + offsets_.ffn_norm, spec_.norm_epsilon, rows, hidden_, normed, hidden_, pool_);
  WeightGradient(slot, gate, 2 * ffn, normed, hidden_, scratch, gradient + offsets_.gate_up);
  float* d_normed = scratch.d_normed.Reserve(rows * hidden_);
  Gemm({gate, 2 * ffn, 1}, rows, panels_->gate_up.backward, d_normed, hidden_, nullptr, pool_);
  NormBackward(slot, middle, offsets_.ffn_norm, d_normed, d_x, gradient);
}

void DecoderLayer::AttentionBackward(const SlotRows& slot, const float* x, LayerActivations& kept,
                                     LayerScratch& scratch, float* d_x, float* gradient) const {
  const size_t rows = slot.rows;
  const float* d_branch = BranchGradient(slot, d_x, kAfterAttention, scratch);
  WeightGradient(slot, d_branch, hidden_, kept.attention.data(), attention_width_, scratch,
                 gradient + offsets_.attention_output);
  float* d_attention = scratch.d_attention.Reserve(rows * attention_width_);
  Gemm({d_branch, hidden_, 1}, rows, panels_->attention_output.backward, d_attention, attention_width_, nullptr, pool_);

  float* d_qkv = scratch.d_qkv.Reserve(rows * qkv_width_);
  float* d_k = d_qkv + attention_width_;
  const float* qkv = kept.qkv.data();
  const float* k = qkv + attention_width_;
  const auto attend_backward = sight_.ahead ? FullAttentionBackward : CausalAttentionBackward;
  attend_backward(attention_, slot.starts, d_attention, attention_width_, qkv, qkv_width_, k, qkv_width_, k + kv_width_,
                  qkv_width_, kept.attention.data(), attention_width_, kept.softmax.data(), d_qkv, qkv_width_, d_k,
                  qkv_width_, d_k + kv_width_, qkv_width_, pool_);
  if (sight_.rope != nullptr) {
    RopeBackward(d_qkv, qkv_width_, rows, spec_.heads + spec_.kv_heads, spec_.head_dim, slot.positions.data(),
                 *sight_.rope, spec_.rope.pairing, pool_);
  }
  if (spec_.qk_norm) NormHeadsBackward(slot, kept, d_qkv, gradient);
  if (spec_.qkv_bias) {
    std::fill_n(gradient + offsets_.qkv_bias, qkv_width_, 0.0F);
    AddColumnSums(d_qkv, qkv_width_, rows, qkv_width_, gradient + offsets_.qkv_bias, pool_);
  }

  float* normed = scratch.normed.data();
  RmsNorm(x, hidden_, weights_ + offsets_.attention_norm, spec_.norm_epsilon, rows, hidden_, normed, hidden_, pool_);
  WeightGradient(slot, d_qkv, qkv_width_, normed, hidden_, scratch, gradient + offsets_.qkv);
  float* d_normed = scratch.d_normed.data();
  Gemm({d_qkv, qkv_width_, 1}, rows, panels_->qkv.backward, d_normed, hidden_, nullptr, pool_);
  NormBackward(slot, x, offsets_.attention_norm, d_normed, d_x, gradient);
}

void DecoderLayer::Backward(const SlotRows& slot, const float* x, LayerActivations& kept, LayerScratch& scratch,
                            float* d_x, float* gradient) const {
  FeedForwardBackward(slot, kept, scratch, d_x, gradient);
  AttentionBackward(slot, x, kept, scratch, d_x, gradient);
}

}  // namespace enigma::engine
