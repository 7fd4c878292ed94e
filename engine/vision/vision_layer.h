#pragma once

#include <cstdint>

#include <absl/status/statusor.h>

#include "engine/kernels/matmul.h"
#include "engine/model/projection.h"
#include "engine/spec/vision_spec.h"
#include "engine/tensor/aligned_buffer.h"
#include "engine/tensor/thread_pool.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// Memory that the layers of an encoder work in, one after another. Rows are a picture's patches.
struct VisionWorkspace {
  explicit VisionWorkspace(const VisionSpec& spec);

  AlignedBuffer<float> x;          // [patches, hidden]: the residual stream
  AlignedBuffer<float> normed;     // [patches, hidden]
  AlignedBuffer<float> qkv;        // [patches, 3 * hidden]
  AlignedBuffer<float> attention;  // [patches, hidden]
  AlignedBuffer<float> gate_up;    // [patches, 2 * ffn]
  AlignedBuffer<float> projected;  // [patches, hidden]
  ActivationRows activations;
};

// One encoder layer: x += attention(norm(x)), every patch seeing every other, then x += feed_forward(norm(x)).
// Positions are in x; nothing is rotated. Immutable after Load.
class VisionLayer {
 public:
  static absl::StatusOr<VisionLayer> Load(const WeightSource& weights, const VisionSpec& spec, uint32_t index,
                                          ThreadPool& pool);

  void Forward(const VisionSpec& spec, VisionWorkspace& workspace, ThreadPool& pool) const;
  uint64_t bytes() const;

 private:
  void Attend(const VisionSpec& spec, VisionWorkspace& workspace, ThreadPool& pool) const;
  void FeedForward(const VisionSpec& spec, VisionWorkspace& workspace, ThreadPool& pool) const;

  AlignedBuffer<float> attention_norm_;  // [hidden]
  AlignedBuffer<float> ffn_norm_;        // [hidden]
  Projection qkv_;
  Projection attention_output_;
  Projection gate_up_;
  Projection down_;
};

// `tensors` side by side, each of `inner` columns.
absl::StatusOr<Projection> LoadVisionProjection(const WeightSource& weights, std::initializer_list<std::string> tensors,
                                                size_t inner, ThreadPool& pool);

}  // namespace enigma::engine
