#pragma once

#include <cstddef>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// The gradient of RmsNorm (rms_norm.h). With s[t] = 1 / sqrt(mean_i(x[t][i]^2) + epsilon) of the forward pass,
//   d_x[t][i] = s[t] * (weight[i] * d_out[t][i] - x[t][i] * s[t]^2 / width * sum_j(weight[j] * d_out[t][j] * x[t][j])),
//   d_weight[i] += sum_t(d_out[t][i] * x[t][i] * s[t]), token by token in rising order.
// x, d_out and d_x are [tokens, width] with row strides in floats; d_x may be d_out.
void RmsNormBackward(const float* d_out, size_t d_out_stride, const float* x, size_t x_stride, const float* weight,
                     float epsilon, size_t tokens, size_t width, float* d_x, size_t d_x_stride, float* d_weight,
                     ThreadPool& pool);

}  // namespace enigma::engine
