#pragma once

#include <cstddef>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// out[t][i] = silu(gate[t][i]) * up[t][i], silu(v) = v / (1 + exp(-v)). Row strides in floats; out may be gate.
// Shazeer, "GLU variants improve transformer", 2020.
void SwiGlu(const float* gate, size_t gate_stride, const float* up, size_t up_stride, size_t tokens, size_t width,
            float* out, size_t out_stride, ThreadPool& pool);

// x[t][i] = silu(x[t][i]), in place: bit for bit SwiGlu with 1 for `up`.
void Silu(float* x, size_t stride, size_t tokens, size_t width, ThreadPool& pool);

// x[t][i] += y[t][i] (residual connections), and x[t][i] += bias[i].
void AddRows(float* x, size_t x_stride, const float* y, size_t y_stride, size_t tokens, size_t width, ThreadPool& pool);
void AddBias(float* x, size_t stride, const float* bias, size_t tokens, size_t width, ThreadPool& pool);

}  // namespace enigma::engine
