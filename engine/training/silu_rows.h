#pragma once

#include <cstddef>

#include "engine/tensor/thread_pool.h"
#include "engine/training/decoder_layer.h"

namespace enigma::engine {

// SiLU between products, over [rows, width] without gaps, with what its gradient needs. It is SwiGlu with 1 for `up`.
class SiluRows {
 public:
  // out = silu(raw)
  static void Forward(const float* raw, size_t rows, size_t width, float* out, ThreadPool& pool);
  // d_out becomes d_raw, in place.
  void Backward(const float* raw, size_t rows, size_t width, float* d_out, ThreadPool& pool);

 private:
  FloatBuffer up_;
};

}  // namespace enigma::engine
