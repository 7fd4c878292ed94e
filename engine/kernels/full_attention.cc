#include "engine/kernels/full_attention.h"

#include <algorithm>
#include <limits>

#include "engine/kernels/causal_attention_cpu.h"
#include "engine/kernels/causal_attention_tasks.h"
#include "engine/kernels/check.h"

namespace enigma::engine {
namespace {

// The query heads of one key/value head, in one document. Keys and values are laid out once for all of its queries.
class DocumentAttention {
 public:
  DocumentAttention(const CausalAttentionShape& shape, size_t rows, HeadRows k, HeadRows v)
      : shape_(shape),
        kernels_(CpuCausalAttentionKernels()),
        rows_(rows),
        blocks_(AttentionBlocks(rows)),
        pitch_(AttentionPitch(shape.head_dim)) {
    const size_t padded = blocks_ * kAttentionBlock;
    const auto pieces =
        CausalAttentionScratch<5>({padded * shape.head_dim, padded * pitch_, kAttentionBlock * shape.head_dim,
                                   padded * kAttentionBlock, kAttentionBlock * pitch_});
    keys_ = pieces[0];
    values_ = pieces[1];
    query_ = pieces[2];
    scores_ = pieces[3];
    sums_ = pieces[4];
    kernels_.pack(k.data, k.stride, rows, shape.head_dim, 1.0F, keys_);
    kernels_.copy(v.data, v.stride, rows, shape.head_dim, values_);
  }

  void Attend(HeadRows q, float* out, size_t out_stride, float* stats) {
    for (size_t block = 0; block < blocks_; ++block) {
      const size_t first = block * kAttentionBlock;
      AttendBlock({q.row(first), q.stride}, std::min(kAttentionBlock, rows_ - first), out + first * out_stride,
                  out_stride, stats == nullptr ? nullptr : stats + first * shape_.heads * 2);
    }
  }

 private:
  void AttendBlock(HeadRows q, size_t rows, float* out, size_t out_stride, float* stats) {
    kernels_.pack(q.data, q.stride, rows, shape_.head_dim, shape_.scale, query_);
    kernels_.scores(keys_, blocks_, query_, shape_.head_dim, scores_);
    // Keys that fill up the last block are seen by nobody; as far away as this, all others are.
    std::fill(scores_ + rows_ * kAttentionBlock, scores_ + blocks_ * kAttentionBlockScores,
              -std::numeric_limits<float>::infinity());
    const AttentionPlace place = {blocks_, blocks_ * kAttentionBlock, 0};
    alignas(64) float largest[kAttentionBlock];
    alignas(64) float sums[kAttentionBlock];
    kernels_.softmax(scores_, place, largest, sums);
    for (size_t tile = 0; tile < rows; tile += kAttentionTile) {
      kernels_.sum_keys(scores_ + tile, rows_, values_, pitch_, sums_ + tile * pitch_, /*fresh=*/true);
    }
    float inverse[kAttentionBlock];
    for (size_t r = 0; r < rows; ++r) {
      inverse[r] = 1.0F / sums[r];
      if (stats == nullptr) continue;
      stats[r * shape_.heads * 2] = largest[r];
      stats[r * shape_.heads * 2 + 1] = sums[r];
    }
    kernels_.store(sums_, inverse, rows, shape_.head_dim, out, out_stride);
  }

  const CausalAttentionShape& shape_;
  const CausalAttentionKernels& kernels_;
  const size_t rows_;
  const size_t blocks_;
  const size_t pitch_;
  float* keys_;    // packed blocks
  float* values_;  // [rows][pitch]
  float* query_;   // a packed block
  float* scores_;  // [keys][16 queries]
  float* sums_;    // [16][pitch]
};

}  // namespace

void FullAttention(const CausalAttentionShape& shape, std::span<const uint32_t> starts, const float* q, size_t q_stride,
                   const float* k, size_t k_stride, const float* v, size_t v_stride, float* out, size_t out_stride,
                   float* softmax_stats, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(shape.window == 0);
  ForEachCausalAttentionTask(shape, starts, pool, [&](const CausalAttentionTask& task) {
    const size_t row = task.first;
    const size_t kv = task.kv_head * shape.head_dim;
    DocumentAttention attention(shape, task.rows, {k + row * k_stride + kv, k_stride},
                                {v + row * v_stride + kv, v_stride});
    const size_t group = shape.heads / shape.kv_heads;
    for (size_t head = task.kv_head * group; head < (task.kv_head + 1) * group; ++head) {
      const size_t at = head * shape.head_dim;
      attention.Attend({q + row * q_stride + at, q_stride}, out + row * out_stride + at, out_stride,
                       softmax_stats == nullptr ? nullptr : softmax_stats + (row * shape.heads + head) * 2);
    }
  });
}

}  // namespace enigma::engine
