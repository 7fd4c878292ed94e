#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/causal_attention.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// Attention in which every row of a document sees every other, before and behind: that of image encoders. Arguments and
// arithmetic are those of CausalAttention, over all keys of the document in rising order; `shape.window` is 0. So a
// row's bits depend on its document alone.
void FullAttention(const CausalAttentionShape& shape, std::span<const uint32_t> starts, const float* q, size_t q_stride,
                   const float* k, size_t k_stride, const float* v, size_t v_stride, float* out, size_t out_stride,
                   float* softmax_stats, ThreadPool& pool);

}  // namespace enigma::engine
