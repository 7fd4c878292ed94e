#pragma once

#include <cstddef>

namespace enigma::engine {

struct RmsNormKernels {
  void (*rows)(const float* x, size_t x_stride, const float* weight, float epsilon, size_t tokens, size_t width,
               float* out, size_t out_stride);
};
const RmsNormKernels& CpuRmsNormKernels();

}  // namespace enigma::engine
