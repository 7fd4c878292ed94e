#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/rope.h"

namespace enigma::engine {

// The gradient of Rope (rope.h), in place: each pair of d_x is turned back by the angle that the forward pass turned it
// by. d_x: [tokens] rows of `heads` heads of `head_dim`, row stride in floats; the rest as for Rope.
void RopeBackward(float* d_x, size_t stride, size_t tokens, size_t heads, size_t head_dim, const uint32_t* positions,
                  const RopeTable& table, RopePairing pairing, ThreadPool& pool);

}  // namespace enigma::engine
