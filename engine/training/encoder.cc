#include "engine/training/encoder.h"

#include <algorithm>

#include "engine/kernels/rms_norm.h"
#include "engine/kernels/rms_norm_backward.h"
#include "engine/vision/image_rows.h"

namespace enigma::engine {
namespace {

// Where the encoder's tensors end: the decoder's follow.
size_t EncoderEnd(const ParameterLayout& layout) { return layout.Find("token_embd.weight")->offset; }

}  // namespace

ModelSpec EncoderLayers(const VisionSpec& spec) {
  ModelSpec layers;
  layers.hidden = spec.hidden;
  layers.ffn = spec.ffn;
  layers.heads = layers.kv_heads = spec.heads;
  layers.head_dim = spec.head_dim();
  layers.norm_epsilon = spec.norm_epsilon;
  layers.layers.assign(spec.layers, LayerSpec{});
  return layers;
}

Encoder::Encoder(const VisionSpec& spec, const ParameterLayout& layout, ProductPrecision precision, ThreadPool& pool)
    : spec_(spec),
      layer_spec_(EncoderLayers(spec)),
      pool_(pool),
      final_norm_(layout.Find("v.post_norm.weight")->offset),
      end_(EncoderEnd(layout)),
      stem_(spec, layout, precision, pool),
      projector_in_(layout, "mm.0", precision, pool),
      projector_out_(layout, "mm.2", precision, pool),
      residuals_(spec.layers + 1),
      kept_(spec.layers),
      scratch_(precision) {
  layers_.reserve(spec.layers);
  for (uint32_t layer = 0; layer < spec.layers; ++layer) {
    layers_.emplace_back(layer_spec_, OffsetsOf(layout, layer_spec_, layer, kEncoderLayerNames),
                         LayerSight{.ahead = true}, precision, pool_);
  }
}

void Encoder::SetWeights(const float* weights) {
  weights_ = weights;
  stem_.SetWeights(weights);
  for (DecoderLayer& layer : layers_) layer.SetWeights(weights);
  projector_in_.SetWeights(weights);
  projector_out_.SetWeights(weights);
}

void Encoder::ShareWeights(const Encoder& owner) {
  weights_ = owner.weights_;
  stem_.ShareWeights(owner.stem_);
  for (size_t layer = 0; layer < layers_.size(); ++layer) layers_[layer].ShareWeights(owner.layers_[layer]);
  projector_in_.ShareWeights(owner.projector_in_);
  projector_out_.ShareWeights(owner.projector_out_);
}

SlotRows Encoder::Rows() const {
  SlotRows rows;
  rows.rows = count_ * spec_.patches();
  rows.starts = starts_;
  return rows;
}

const float* Encoder::Forward(const float* pictures, size_t count) {
  count_ = count;
  starts_.clear();
  for (uint32_t p = 0; p <= count; ++p) starts_.push_back(p * spec_.patches());
  const size_t rows = count * spec_.patches(), hidden = spec_.hidden;
  stem_.Forward(pictures, count, residuals_[0].Reserve(rows * hidden));
  for (uint32_t layer = 0; layer < spec_.layers; ++layer) {
    layers_[layer].Forward(Rows(), residuals_[layer].data(), kept_[layer], scratch_,
                           residuals_[layer + 1].Reserve(rows * hidden));
  }
  float* normed = normed_.Reserve(rows * hidden);
  RmsNorm(residuals_.back().data(), hidden, weights_ + final_norm_, spec_.norm_epsilon, rows, hidden, normed, hidden,
          pool_);
  const size_t picture = size_t{spec_.patches()} * hidden;
  float* merged = merged_.Reserve(rows * hidden);
  for (size_t p = 0; p < count; ++p) {
    GatherSquares(normed + p * picture, spec_.grid(), spec_.merge, hidden, merged + p * picture);
  }
  const size_t made = count * spec_.prefix(), output = spec_.output;
  projector_in_.Forward(merged, made, between_.Reserve(made * output));
  SiluRows::Forward(between_.data(), made, output, activated_.Reserve(made * output), pool_);
  projector_out_.Forward(activated_.data(), made, prefix_.Reserve(made * output));
  return prefix_.data();
}

void Encoder::Backward(const float* d_prefix, float* gradient, const GradientPart& finished) {
  const size_t rows = count_ * spec_.patches(), hidden = spec_.hidden, made = count_ * spec_.prefix();
  float* d_between = prefix_.data();
  projector_out_.Backward(activated_.data(), d_prefix, made, scratch_.inputs, d_between, gradient);
  silu_.Backward(between_.data(), made, spec_.output, d_between, pool_);
  float* d_merged = d_merged_.Reserve(rows * hidden);
  projector_in_.Backward(merged_.data(), d_between, made, scratch_.inputs, d_merged, gradient);

  const size_t picture = size_t{spec_.patches()} * hidden;
  float* d_normed = normed_.data();
  for (size_t p = 0; p < count_; ++p) {
    ScatterSquares(d_merged + p * picture, spec_.grid(), spec_.merge, hidden, d_normed + p * picture);
  }
  float* d_x = d_x_.Reserve(rows * hidden);
  std::fill_n(gradient + final_norm_, hidden, 0.0F);
  RmsNormBackward(d_normed, hidden, residuals_.back().data(), hidden, weights_ + final_norm_, spec_.norm_epsilon, rows,
                  hidden, d_x, hidden, gradient + final_norm_, pool_);
  finished(final_norm_, end_);

  for (uint32_t layer = spec_.layers; layer-- > 0;) {
    layers_[layer].Backward(Rows(), residuals_[layer].data(), kept_[layer], scratch_, d_x, gradient);
    finished(layers_[layer].offsets().begin, layers_[layer].offsets().end);
  }
  stem_.Backward(d_x, gradient);
  finished(0, layers_.front().offsets().begin);
}

}  // namespace enigma::engine
