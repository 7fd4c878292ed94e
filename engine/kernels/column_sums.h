#pragma once

#include <cstddef>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// The gradient of a bias: d_bias[i] += d_out[t][i], t in rising order. d_out: [tokens, width], row stride in floats.
void AddColumnSums(const float* d_out, size_t stride, size_t tokens, size_t width, float* d_bias, ThreadPool& pool);

}  // namespace enigma::engine
