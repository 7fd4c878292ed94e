#pragma once

#include <cstddef>
#include <vector>

#include "engine/spec/vision_spec.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/linear_layer.h"
#include "engine/training/silu_rows.h"

namespace enigma::engine {

// The convolutions of an image encoder, the way to its transformer's width and the positions: forward, with what the
// gradient needs, and backward. One thread calls.
class EncoderStem {
 public:
  // `spec` and `layout` (ParameterLayout::WithEncoder) outlive the stem.
  EncoderStem(const VisionSpec& spec, const ParameterLayout& layout, ProductPrecision precision, ThreadPool& pool);

  // As of Decoder.
  void SetWeights(const float* weights);
  void ShareWeights(const EncoderStem& owner);

  // pictures: [count][3][image_size][image_size]; out: [count * patches, hidden].
  void Forward(const float* pictures, size_t count, float* out);
  // Of the last Forward; writes the gradients of all its tensors.
  void Backward(const float* d_out, float* gradient);

 private:
  struct Convolution {
    LinearLayer product;
    size_t side;           // of the pictures that it reads
    size_t channels;       // likewise
    FloatBuffer gathered;  // [count * (side / 2)^2, 9 * channels]
    FloatBuffer raw;       // [count * (side / 2)^2, made], before SiLU
    size_t rows(size_t count) const { return count * side * side / 4; }
  };
  void BackwardConvolution(Convolution& convolution, bool is_first, float* gradient);

  const VisionSpec& spec_;
  ThreadPool& pool_;
  std::vector<Convolution> convolutions_;
  LinearLayer patch_embedding_;
  const size_t positions_;  // offset
  const float* weights_ = nullptr;

  size_t count_ = 0;    // pictures of the last Forward
  FloatBuffer maps_;    // what the last convolution made, after SiLU
  FloatBuffer d_maps_;  // its gradient
  FloatBuffer d_gathered_;
  SiluRows silu_;
  GemmPanels inputs_;
};

}  // namespace enigma::engine
