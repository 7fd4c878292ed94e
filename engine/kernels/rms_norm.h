#pragma once

#include <cstddef>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// out[t][i] = x[t][i] / sqrt(mean_i(x[t][i]^2) + epsilon) * weight[i]; x and out are [tokens, width] with the given row
// strides in floats, and may be the same memory. Zhang and Sennrich, "Root mean square layer normalization", 2019.
void RmsNorm(const float* x, size_t x_stride, const float* weight, float epsilon, size_t tokens, size_t width,
             float* out, size_t out_stride, ThreadPool& pool);

}  // namespace enigma::engine
