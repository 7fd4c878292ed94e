#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/kernels/causal_attention.h"
#include "engine/kernels/dropout.h"
#include "engine/kernels/rope.h"
#include "engine/spec/model_spec.h"
#include "engine/tensor/aligned_buffer.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/layer_weights.h"

namespace enigma::engine {

// Grows to what is asked for and keeps it; contents are lost when it grows.
class FloatBuffer {
 public:
  float* Reserve(size_t count) {
    if (buffer_.size() < count) buffer_ = AlignedBuffer<float>(count);
    return buffer_.data();
  }
  float* data() { return buffer_.data(); }
  const float* data() const { return buffer_.data(); }

 private:
  AlignedBuffer<float> buffer_;
};

// What the backward pass of a layer reads of its forward pass; rows are the slot's tokens.
struct LayerActivations {
  FloatBuffer qkv;        // [rows, qkv width], rotated
  FloatBuffer qkv_raw;    // before the norms of queries and keys, in families that have them
  FloatBuffer attention;  // [rows, heads * head_dim]
  FloatBuffer softmax;    // [rows, heads, 2]
  FloatBuffer middle;     // [rows, hidden]: the residual stream between attention and feed-forward
  FloatBuffer gate_up;    // [rows, 2 * ffn]
};

// Memory that every layer uses in turn.
struct LayerScratch {
  explicit LayerScratch(ProductPrecision precision) : inputs(precision) {}

  FloatBuffer normed;       // [rows, hidden]
  FloatBuffer branch;       // [rows, hidden]
  FloatBuffer activated;    // [rows, ffn]
  FloatBuffer d_activated;  // [rows, ffn]
  FloatBuffer d_normed;     // [rows, hidden]
  FloatBuffer d_attention;  // [rows, heads * head_dim]
  FloatBuffer d_qkv;        // [rows, qkv width]
  GemmPanels inputs;        // the right factor of a weight gradient
};

// The rows of one slot, and how they hang together.
struct SlotRows {
  size_t rows = 0;
  std::span<const uint32_t> positions;
  std::span<const uint32_t> starts;
  float dropout = 0;
  float token_dropout = 0;
  uint64_t dropout_seed = 0;
  uint64_t dropout_stream = 0;  // of this layer's first place; the next one follows
};

// How the rows of a document see each other.
struct LayerSight {
  const RopeTable* rope = nullptr;  // null: positions are in the rows already, and nothing is rotated
  uint32_t window = 0;              // how many rows back a row sees, itself included; 0 for all
  bool ahead = false;               // and all rows ahead of it too, as in image encoders
};

// One decoder layer of training: the arithmetic of engine/model/layer.h on whole documents, and its gradient. An image
// encoder's layer differs in what rows see (engine/vision/vision_layer.h).
class DecoderLayer {
 public:
  // All outlive the layer.
  DecoderLayer(const ModelSpec& spec, const LayerOffsets& offsets, const LayerSight& sight, ProductPrecision precision,
               ThreadPool& pool);

  // As of Decoder.
  void SetWeights(const float* weights);
  void ShareWeights(const DecoderLayer& owner);

  // x, out: [rows, hidden]; `out` may not be `x`.
  void Forward(const SlotRows& slot, const float* x, LayerActivations& kept, LayerScratch& scratch, float* out) const;
  // d_x: [rows, hidden], the gradient at the layer's output, becomes that at its input. Spoils what `kept` holds.
  // Writes the gradient of every tensor of the layer into the flat `gradient`.
  void Backward(const SlotRows& slot, const float* x, LayerActivations& kept, LayerScratch& scratch, float* d_x,
                float* gradient) const;

  const LayerOffsets& offsets() const { return offsets_; }

 private:
  void AttentionForward(const SlotRows& slot, const float* x, LayerActivations& kept, LayerScratch& scratch) const;
  void AttentionBackward(const SlotRows& slot, const float* x, LayerActivations& kept, LayerScratch& scratch,
                         float* d_x, float* gradient) const;
  void FeedForwardBackward(const SlotRows& slot, LayerActivations& kept, LayerScratch& scratch, float* d_x,
                           float* gradient) const;
  // out = x + dropout(in W^T)
  void AddBranch(const SlotRows& slot, const float* x, const float* in, const ProductPanels& w, uint64_t place,
                 LayerScratch& scratch, float* out) const;
  // The gradient that goes into the branch: d_x, but for what was dropped.
  const float* BranchGradient(const SlotRows& slot, const float* d_x, uint64_t place, LayerScratch& scratch) const;
  // d_w[outputs, inputs] = d_out^T in
  void WeightGradient(const SlotRows& slot, const float* d_out, size_t outputs, const float* in, size_t inputs,
                      LayerScratch& scratch, float* d_w) const;
  // d_x += the gradient of the norm; `norm` is its offset, x its input.
  void NormBackward(const SlotRows& slot, const float* x, size_t norm, float* d_normed, float* d_x,
                    float* gradient) const;
  void NormHeads(const SlotRows& slot, LayerActivations& kept) const;
  void NormHeadsBackward(const SlotRows& slot, const LayerActivations& kept, float* d_qkv, float* gradient) const;

  const ModelSpec& spec_;
  const LayerOffsets offsets_;
  const LayerSight sight_;
  ThreadPool& pool_;
  const size_t hidden_;
  const size_t attention_width_;
  const size_t kv_width_;
  const size_t qkv_width_;
  CausalAttentionShape attention_;
  const float* weights_ = nullptr;
  std::shared_ptr<LayerPanels> panels_;
};

}  // namespace enigma::engine
