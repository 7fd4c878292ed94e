#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/kernels/matmul.h"
#include "engine/model/projection.h"
#include "engine/spec/model_spec.h"
#include "engine/tensor/aligned_buffer.h"
#include "engine/tensor/thread_pool.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// The final norm and the product with the vocabulary: output.weight, or token_embd.weight where the two are tied. On
// the last stage only. One caller at a time.
class OutputHead {
 public:
  // Logits for at most `max_rows` rows a step.
  static absl::StatusOr<OutputHead> Load(const WeightSource& weights, const ModelSpec& spec, size_t max_rows,
                                         ThreadPool& pool);

  // The final norm, in place. x: [rows, hidden], the residual stream after the last layer.
  void Norm(float* x, size_t rows, ThreadPool& pool) const;
  // Logits of some rows of what Norm left, which rise.
  void Forward(const float* x, const std::vector<size_t>& rows, ActivationRows& activations, ThreadPool& pool);

  const float* hidden() const { return normed_.data(); }  // [rows, hidden] of the last Forward: what the product reads
  const float* logits() const { return logits_.data(); }  // [rows, vocab]
  uint64_t weight_bytes() const { return product_.bytes() + norm_.size() * sizeof(float); }
  uint64_t workspace_bytes() const { return (normed_.size() + logits_.size()) * sizeof(float); }

 private:
  AlignedBuffer<float> norm_;
  Projection product_;
  float epsilon_ = 0;
  AlignedBuffer<float> normed_;
  AlignedBuffer<float> logits_;
};

}  // namespace enigma::engine
