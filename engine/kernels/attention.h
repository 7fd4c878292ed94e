#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/spec/kv_type.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// One layer's paged key/value memory. A block holds 32 tokens, head-major: for each kv head first the keys, transposed
// [head_dim][32] so that SIMD lanes run over tokens, then the values [32][head_dim]. kQ8 stores int8 with one f32 scale
// per token for the key and one for the value of each head, after the head's int8 data: [32] key scales, [32] value
// scales.
struct KvLayerView {
  uint8_t* base = nullptr;
  size_t block_bytes = 0;  // distance between blocks
  KvType type = KvType::kF32;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;
};
inline constexpr uint32_t kKvBlockTokens = 32;
size_t KvBlockBytes(KvType type, uint32_t kv_heads, uint32_t head_dim);  // of one layer

// The tokens of one sequence in a step: rows [row, row + count) of the batch stand at positions [first, first + count).
struct AttentionRun {
  size_t row = 0;
  uint32_t first = 0;
  uint32_t count = 0;
  const uint32_t* blocks = nullptr;  // block of position p is blocks[p / 32]; covers all positions below first + count
};

// Stores the new keys and values, [tokens, kv_heads * head_dim] with the given stride in floats, rounding to the type.
void StoreKv(const KvLayerView& kv, const std::vector<AttentionRun>& runs, const float* k, const float* v,
             size_t stride, ThreadPool& pool);

// Causal grouped-query attention of each run's queries over everything stored for its sequence, itself included.
// q, out: [tokens, heads * head_dim] with strides in floats. `window`: how many tokens back a query sees, itself
// included; 0 for all. Softmax is accumulated over blocks in rising order, online (Milakov and Gimelshein, 2018), so a
// query's bits do not depend on how many other rows share the step. Reads keys and values as stored, in prefill and
// decode alike.
void Attention(const KvLayerView& kv, const std::vector<AttentionRun>& runs, const float* q, size_t q_stride,
               size_t heads, float scale, uint32_t window, float* out, size_t out_stride, ThreadPool& pool);

}  // namespace enigma::engine
