#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/kernels/gemm.h"
#include "engine/training/trainable_weights.h"

namespace enigma::engine {

// Low-rank factors A [rank, cols] and B [rows, rank] of a model's targets W [rows, cols], which stay as they are: the
// decoder computes with W' = W + s B A, s = alpha / rank, an element being one chain of fused multiply-adds over the
// rank that begins at W's. From the gradient G of W' come those of the factors: s G A^T for B, s B^T G for A; each is
// a product as kernels/gemm.h defines it, multiplied with s at the end.
class LoraWeights final : public TrainableWeights {
 public:
  // As MakeTrainableWeights.
  LoraWeights(const TrainingConfig& config, const ParameterLayout& model, AlignedBuffer<float> base, ThreadPool& pool);

  const ParameterLayout& layout() const override { return layout_; }
  const float* ModelWeights(const float* weights) override;
  std::unique_ptr<SlotGradient> MakeGradient() const override;
  std::vector<FloatRange> Ranges() const override;

 private:
  struct Target {
    size_t rows;
    size_t cols;
    size_t weight;  // offset in the model
    size_t kept;    // in kept_
    size_t a;       // in the layout, as b
    size_t b;
    uint32_t layer;
  };
  class Gradient;
  // a * scale_, for `count` floats.
  void Scale(const float* in, size_t count, float* out) const;
  // Where the factors behind target `index` begin.
  size_t EndOf(size_t index) const { return index + 1 < targets_.size() ? targets_[index + 1].a : layout_.floats(); }

  const ParameterLayout layout_;
  const size_t rank_;
  const float scale_;
  ThreadPool& pool_;
  std::vector<Target> targets_;  // as they lie in the model
  AlignedBuffer<float> kept_;    // the targets as they were
  AlignedBuffer<float> model_;
  AlignedBuffer<float> factors_;  // those of the last ModelWeights
  AlignedBuffer<float> scaled_;   // one B
  GemmPanels panels_;
};

}  // namespace enigma::engine
