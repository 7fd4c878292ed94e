#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/attention.h"

namespace enigma::engine {

// Queries of one key/value head: positions [position, position + count) of a run, `group` query heads each.
struct AttentionTask {
  const uint32_t* blocks;
  uint32_t kv_head;
  uint32_t position;
  uint32_t count;
  uint32_t group;
  uint32_t window;
  float scale;
  const float* q;  // of the first position's first head
  size_t q_stride;
  float* out;
  size_t out_stride;
};

// Query rows (positions times heads) that one task may have.
inline constexpr uint32_t kAttentionRows = 64;

// Floats of scratch memory a task needs.
inline size_t AttentionScratch(size_t head_dim) {
  const size_t padded = (head_dim + 15) / 16 * 16;
  // Keys and values of a block as f32, sums and scaled queries of each row, probabilities of each row.
  return 2 * kKvBlockTokens * padded + kAttentionRows * (padded + kKvBlockTokens);
}

struct AttentionKernels {
  void (*attend)(const KvLayerView& kv, const AttentionTask& task, float* scratch);
};
const AttentionKernels& CpuAttentionKernels();

// Where one head's data lie in a block.
struct KvHeadLayout {
  size_t element;  // bytes
  size_t keys, values, key_scales, value_scales, bytes;
};
inline KvHeadLayout HeadLayout(KvType type, size_t head_dim) {
  const size_t element = type == KvType::kF32 ? 4 : type == KvType::kQ8 ? 1 : 2;
  const size_t half = kKvBlockTokens * head_dim * element;
  const size_t scales = type == KvType::kQ8 ? kKvBlockTokens * sizeof(float) : 0;
  return {element, 0, half, 2 * half, 2 * half + scales, 2 * (half + scales)};
}

}  // namespace enigma::engine
