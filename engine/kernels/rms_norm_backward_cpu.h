#pragma once

#include <cstddef>

namespace enigma::engine {

struct RmsNormBackwardKernels {
  // The forward pass's factor of one row.
  float (*scale)(const float* x, float epsilon, size_t width);
  void (*row)(const float* d_out, const float* x, const float* weight, float scale, size_t width, float* d_x);
  // d_weight[i] += d_out[i] * (x[i] * scale)
  void (*weight_row)(const float* d_out, const float* x, float scale, size_t width, float* d_weight);
};
const RmsNormBackwardKernels& CpuRmsNormBackwardKernels();

}  // namespace enigma::engine
