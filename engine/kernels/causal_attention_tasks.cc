#include "engine/kernels/causal_attention_tasks.h"

#include <algorithm>
#include <vector>

#include "engine/kernels/check.h"
#include "engine/tensor/aligned_buffer.h"

namespace enigma::engine {

void ForEachCausalAttentionTask(const CausalAttentionShape& shape, std::span<const uint32_t> starts, ThreadPool& pool,
                                const std::function<void(const CausalAttentionTask&)>& body) {
  ENIGMA_KERNEL_CHECK(shape.kv_heads > 0 && shape.heads > 0 && shape.heads % shape.kv_heads == 0);
  ENIGMA_KERNEL_CHECK(shape.head_dim >= 8 && shape.head_dim <= 256 && shape.head_dim % 8 == 0);
  ENIGMA_KERNEL_CHECK(!starts.empty() && std::is_sorted(starts.begin(), starts.end()));
  std::vector<CausalAttentionTask> tasks;
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    for (size_t head = 0; head < shape.kv_heads && starts[i] < starts[i + 1]; ++head) {
      tasks.push_back({starts[i], starts[i + 1] - starts[i], head});
    }
  }
  std::stable_sort(tasks.begin(), tasks.end(), [](const auto& a, const auto& b) { return a.rows > b.rows; });
  pool.ParallelFor(tasks.size(), 1, [&](size_t begin, size_t end, int) {
    for (size_t i = begin; i < end; ++i) body(tasks[i]);
  });
}

float* CausalAttentionScratch(size_t floats) {
  thread_local AlignedBuffer<float> memory;
  if (memory.size() < floats) memory = AlignedBuffer<float>(floats);
  return memory.data();
}

void RowFetcher::Add(HeadRows rows, size_t count) {
  ENIGMA_KERNEL_CHECK(count_ < streams_.size());
  streams_[count_++] = {rows, count};
}

void RowFetcher::Step(size_t count) {
  constexpr size_t kLine = 64 / sizeof(float);
  for (size_t s = 0; s < count_; ++s) {
    Stream& stream = streams_[s];
    const size_t rows = std::min(count, stream.left);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t i = 0; i < head_dim_; i += kLine) __builtin_prefetch(stream.rows.row(r) + i, 0, 2);
    }
    stream.rows.data += rows * stream.rows.stride;
    stream.left -= rows;
  }
}

}  // namespace enigma::engine
