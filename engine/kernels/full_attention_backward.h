#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/causal_attention.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// The gradient of FullAttention. Arguments are those of CausalAttentionBackward, with `window` 0, and so is the
// arithmetic, over all keys of a document in rising order, and all its queries. A row's bits depend on its document
// alone.
void FullAttentionBackward(const CausalAttentionShape& shape, std::span<const uint32_t> starts, const float* d_out,
                           size_t d_out_stride, const float* q, size_t q_stride, const float* k, size_t k_stride,
                           const float* v, size_t v_stride, const float* out, size_t out_stride,
                           const float* softmax_stats, float* d_q, size_t d_q_stride, float* d_k, size_t d_k_stride,
                           float* d_v, size_t d_v_stride, ThreadPool& pool);

}  // namespace enigma::engine
