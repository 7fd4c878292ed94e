#pragma once

#include "engine/kernels/causal_attention.h"

namespace enigma::engine {

// The gradient of CausalAttention: writes d_q, d_k and d_v, shaped as q, k and v, of a loss whose gradient at `out` is
// d_out. out and softmax_stats are those that the forward pass made of q, k and v. Row strides in floats. d_q may be q
// or d_out, d_k may be k, and d_v may be v.
//
// With score, m and l of the forward pass, for each query j and the keys t that it sees, in rising order:
//   dp[t] = sum over i, in order: s = fma(v[t][i], d_out[i], s)
//   p[t] = Exp(score[t] - m) * (1 / l)                ds[t] = (p[t] * (dp[t] - sum of d_out * out)) * scale
//   d_q[j][i] = sum over t, in order: s = fma(ds[t], k[t][i], s)
// and for each key t, over the query heads that share it in rising order, and of each the queries j that see it, in
// order:
//   d_v[t][i] = sum: s = fma(p[j][t], d_out[j][i], s)         d_k[t][i] = sum: s = fma(ds[j][t], q[j][i], s)
// The sum of d_out * out has sixteen parts, element i in part i mod 16 by fma, added as in RMSNorm. As in the forward
// pass, pairs that are not seen but within sixteen positions may take part with weight 0.
void CausalAttentionBackward(const CausalAttentionShape& shape, std::span<const uint32_t> starts, const float* d_out,
                             size_t d_out_stride, const float* q, size_t q_stride, const float* k, size_t k_stride,
                             const float* v, size_t v_stride, const float* out, size_t out_stride,
                             const float* softmax_stats, float* d_q, size_t d_q_stride, float* d_k, size_t d_k_stride,
                             float* d_v, size_t d_v_stride, ThreadPool& pool);

}  // namespace enigma::engine
