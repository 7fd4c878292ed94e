#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// Names one mask. Streams of a seed are independent: one for each step and place in the model.
struct DropoutKey {
  uint64_t seed = 0;
  uint64_t stream = 0;
};

// x[t][i] becomes x[t][i] / (1 - probability) where it is kept and 0 where it is dropped, in place. Whether it is kept
// is a function of the key, the row's number first_row + t and the column i alone (Philox4x32-10,
// base/counter_random.h); so the gradient is dropped by the same call, and no mask depends on the batch around it.
// x: [tokens, width], row stride in floats; probability in [0, 1); row numbers and columns below 2^32.
void Dropout(float* x, size_t stride, size_t tokens, size_t width, float probability, const DropoutKey& key,
             uint64_t first_row, ThreadPool& pool);

}  // namespace enigma::engine
