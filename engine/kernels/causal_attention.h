#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

struct CausalAttentionShape {
  uint32_t heads = 0;  // of queries; those of one key/value head follow each other
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;  // 8 to 256, a multiple of 8
  float scale = 0;
  uint32_t window = 0;  // how many tokens back a query sees, itself included; 0 for all
};

// Attention of training, over a packed batch: document i is rows [starts[i], starts[i + 1]) and sees only itself. q,
// out: [tokens, heads * head_dim]; k, v: [tokens, kv_heads * head_dim]; row strides in floats. out may be q.
// softmax_stats: [tokens, heads, 2], each query's largest score and its l, which the backward pass reads; null where
// there is none.
//
// For each query, over the keys t that it sees, in rising order of their positions in the document:
//   score[t] = sum over i, in order: s = fma(k[t][i], q[i] * scale, s)        m = max(score[t])
//   p[t] = Exp(score[t] - m), with Exp of the contract of inference
//   l = (l0 + l2) + (l1 + l3), lj the sum of p[t] for t mod 4 = j, in order
//   o[i] = sum over t, in order: o[i] = fma(p[t], v[t][i], o[i])              out[i] = o[i] * (1 / l)
// Sums begin at +0. Keys of the same sixteen positions as one that is seen may take part with p = 0. So a row's bits
// depend on its document alone: not on the rest of the batch, on threads or on the instruction set.
void CausalAttention(const CausalAttentionShape& shape, std::span<const uint32_t> starts, const float* q,
                     size_t q_stride, const float* k, size_t k_stride, const float* v, size_t v_stride, float* out,
                     size_t out_stride, float* softmax_stats, ThreadPool& pool);

}  // namespace enigma::engine
