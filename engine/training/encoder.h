#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/spec/vision_spec.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/decoder.h"
#include "engine/training/encoder_stem.h"

namespace enigma::engine {

// An encoder's layers, as layers of a decoder, and their names.
ModelSpec EncoderLayers(const VisionSpec& spec);
inline constexpr LayerNames kEncoderLayerNames = {"v.blk.", "v.post_norm.weight"};

// The image encoder that is trained, beside the decoder that reads its prefix: the arithmetic of
// engine/vision/vision_encoder.h on several pictures, and its gradient. A picture's rows are its own, whatever pictures
// are with it. One thread calls.
class Encoder {
 public:
  // `spec` and `layout` (ParameterLayout::WithEncoder) outlive the encoder; the width is a multiple of 16.
  Encoder(const VisionSpec& spec, const ParameterLayout& layout, ProductPrecision precision, ThreadPool& pool);

  // As of Decoder.
  void SetWeights(const float* weights);
  void ShareWeights(const Encoder& owner);

  // pictures: [count][3][image_size][image_size]. [count * prefix, output], until the next call.
  const float* Forward(const float* pictures, size_t count);
  // d_prefix: the gradient at what the last Forward gave, which is spoilt. Writes the gradients of all tensors of the
  // encoder; `finished` hears of them from the projector to the first convolution. Once for each Forward.
  void Backward(const float* d_prefix, float* gradient, const GradientPart& finished);

 private:
  SlotRows Rows() const;

  const VisionSpec& spec_;
  const ModelSpec layer_spec_;  // of the transformer's layers
  ThreadPool& pool_;
  const size_t final_norm_;  // offsets
  const size_t end_;
  EncoderStem stem_;
  std::vector<DecoderLayer> layers_;
  LinearLayer projector_in_;
  LinearLayer projector_out_;
  const float* weights_ = nullptr;

  size_t count_ = 0;  // pictures of the last Forward
  std::vector<uint32_t> starts_;
  std::vector<FloatBuffer> residuals_;  // what enters each layer, and what leaves the last
  std::vector<LayerActivations> kept_;
  LayerScratch scratch_;
  FloatBuffer normed_;
  FloatBuffer merged_;     // [count * prefix, merge^2 * hidden]
  FloatBuffer between_;    // [count * prefix, output]: of the projector, before SiLU
  FloatBuffer activated_;  // and after it
  FloatBuffer prefix_;
  FloatBuffer d_merged_;
  FloatBuffer d_x_;
  SiluRows silu_;
};

}  // namespace enigma::engine
