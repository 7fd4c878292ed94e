#pragma once

#include <cstddef>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// The gradient of SwiGlu (swiglu.h): from d_out and the inputs of the forward pass
//   d_up[t][i] = d_out[t][i] * silu(gate[t][i]),
//   d_gate[t][i] = d_out[t][i] * up[t][i] * s * (1 + gate[t][i] * (1 - s)), s = 1 / (1 + exp(-gate[t][i])).
// and, where `out` is given, what SwiGlu gave, [tokens][width] without gaps.
// All are [tokens, width] with row strides in floats; d_gate may be gate or d_out, d_up may be up.
void SwiGluBackward(const float* d_out, size_t d_out_stride, const float* gate, size_t gate_stride, const float* up,
                    size_t up_stride, size_t tokens, size_t width, float* d_gate, size_t d_gate_stride, float* d_up,
                    size_t d_up_stride, float* out, ThreadPool& pool);

}  // namespace enigma::engine
