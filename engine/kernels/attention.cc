#include "engine/kernels/attention.h"

#include <algorithm>

#include "engine/kernels/attention_cpu.h"
#include "engine/kernels/check.h"
#include "engine/tensor/aligned_buffer.h"

namespace enigma::engine {
namespace {

uint32_t CeilDiv(uint32_t a, uint32_t b) { return (a + b - 1) / b; }

// What one ParallelFor index of Attention stands for.
struct Item {
  uint32_t run;
  uint32_t kv_head;
  uint32_t first_head;  // within the group
  uint32_t offset;      // of the first position within the run
};

}  // namespace

size_t KvBlockBytes(KvType type, uint32_t kv_heads, uint32_t head_dim) {
  return kv_heads * HeadLayout(type, head_dim).bytes;
}

void Attention(const KvLayerView& kv, const std::vector<AttentionRun>& runs, const float* q, size_t q_stride,
               size_t heads, float scale, uint32_t window, float* out, size_t out_stride, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(kv.base != nullptr && kv.kv_heads > 0 && heads % kv.kv_heads == 0);
  ENIGMA_KERNEL_CHECK(kv.block_bytes >= KvBlockBytes(kv.type, kv.kv_heads, kv.head_dim));
  const auto group = static_cast<uint32_t>(heads / kv.kv_heads);
  const uint32_t heads_per_item = std::min(group, kAttentionRows);
  const uint32_t positions_per_item = std::max(1U, kAttentionRows / heads_per_item);
  std::vector<Item> items;
  for (uint32_t r = 0; r < runs.size(); ++r) {
    // Long items (late positions) first, so that threads finish together.
    for (uint32_t tile = CeilDiv(runs[r].count, positions_per_item); tile-- > 0;) {
      for (uint32_t h = 0; h < kv.kv_heads; ++h) {
        for (uint32_t g = 0; g < group; g += heads_per_item) items.push_back({r, h, g, tile * positions_per_item});
      }
    }
  }
  const AttentionKernels& kernels = CpuAttentionKernels();
  const size_t scratch_floats = (AttentionScratch(kv.head_dim) + 15) / 16 * 16;
  AlignedBuffer<float> scratch(scratch_floats * static_cast<size_t>(pool.threads()));
  pool.ParallelFor(items.size(), 1, [&](size_t begin, size_t end, int thread) {
    for (size_t i = begin; i < end; ++i) {
      const Item& item = items[i];
      const AttentionRun& run = runs[item.run];
      const size_t row = run.row + item.offset;
      const size_t head = item.kv_head * group + item.first_head;
      const AttentionTask task = {.blocks = run.blocks,
                                  .kv_head = item.kv_head,
                                  .position = run.first + item.offset,
                                  .count = std::min(positions_per_item, run.count - item.offset),
                                  .group = std::min(heads_per_item, group - item.first_head),
                                  .window = window,
                                  .scale = scale,
                                  .q = q + row * q_stride + head * kv.head_dim,
                                  .q_stride = q_stride,
                                  .out = out + row * out_stride + head * kv.head_dim,
                                  .out_stride = out_stride};
      kernels.attend(kv, task, scratch.data() + static_cast<size_t>(thread) * scratch_floats);
    }
  });
}

}  // namespace enigma::engine
