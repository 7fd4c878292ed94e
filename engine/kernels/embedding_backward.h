#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// The gradient of looking rows up: d_embedding[ids[t]][i] += d_x[t][i], t in rising order.
// d_x: [tokens, width], row stride in floats; d_embedding: [vocab, width] without gaps; ids: [tokens], each in
// [0, vocab).
void EmbeddingBackward(const float* d_x, size_t stride, const int32_t* ids, size_t tokens, size_t width, size_t vocab,
                       float* d_embedding, ThreadPool& pool);

}  // namespace enigma::engine
