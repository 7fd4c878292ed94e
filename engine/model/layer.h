#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <absl/status/statusor.h>

#include "engine/kernels/attention.h"
#include "engine/kernels/rope.h"
#include "engine/model/projection.h"
#include "engine/model/workspace.h"
#include "engine/spec/model_spec.h"
#include "engine/tensor/thread_pool.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// One decoder layer: x += attention(norm(x)), then x += feed_forward(norm(x)). What varies between families (biases,
// query/key norms, windows, rotation) comes from the spec. Immutable after Load.
class Layer {
 public:
  // `spec` must outlive the layer. `index` counts from the model's first layer.
  static absl::StatusOr<Layer> Load(const WeightSource& weights, const ModelSpec& spec, uint32_t index,
                                    ThreadPool& pool);

  // Advances the first `rows` rows of the workspace's residual stream in place, as its positions and runs say.
  // `keep` (may be null): rising indices of the rows that anything later reads. All rows' keys and values are stored,
  // but only those rows are carried on; they become rows 0, 1, ... of the residual stream.
  void Forward(size_t rows, const KvLayerView& kv, const RopeTable& rope, const std::vector<size_t>* keep,
               Workspace& workspace, ThreadPool& pool) const;

  uint64_t bytes() const;

 private:
  void ProjectQkv(size_t rows, const RopeTable& rope, Workspace& workspace, ThreadPool& pool) const;
  void NormHeads(size_t rows, size_t heads, const float* weight, float* x, size_t stride, ThreadPool& pool) const;
  void FeedForward(size_t rows, Workspace& workspace, ThreadPool& pool) const;

  const ModelSpec* spec_ = nullptr;
  uint32_t window_ = 0;
  AlignedBuffer<float> attention_norm_;  // [hidden]
  AlignedBuffer<float> ffn_norm_;        // [hidden]
  AlignedBuffer<float> query_norm_;      // [head_dim], where the family has it
  AlignedBuffer<float> key_norm_;        // [head_dim]
  AlignedBuffer<float> qkv_bias_;        // [qkv_width], where the family has it
  Projection qkv_;
  Projection attention_output_;
  Projection gate_up_;
  Projection down_;
};

}  // namespace enigma::engine
