#include "engine/kernels/causal_attention.h"

#include <algorithm>

#include "engine/kernels/causal_attention_cpu.h"
#include "engine/kernels/causal_attention_tasks.h"

namespace enigma::engine {
namespace {

constexpr size_t kBlock = kAttentionBlock;

// Blocks of keys whose scores are computed between two requests to memory, and rows asked for each time.
constexpr size_t kPiece = 2;

// The query heads of one key/value head, in one document.
class HeadAttention {
 public:
  HeadAttention(const CausalAttentionShape& shape, size_t rows, HeadRows k, HeadRows v)
      : shape_(shape),
        kernels_(CpuCausalAttentionKernels()),
        rows_(rows),
        head_dim_(shape.head_dim),
        pitch_(AttentionPitch(shape.head_dim)),
        k_(k),
        v_(v),
        fetcher_(shape.head_dim) {
    const size_t padded = AttentionBlocks(rows) * kBlock;
    const auto pieces = CausalAttentionScratch<5>(
        {padded * head_dim_, padded * pitch_, kBlock * head_dim_, padded * kBlock, kBlock * pitch_});
    keys_ = pieces[0];
    values_ = pieces[1];
    query_ = pieces[2];
    scores_ = pieces[3];
    sums_ = pieces[4];
  }

  void Attend(HeadRows q, float* out, size_t out_stride, float* stats) {
    for (size_t block = 0; block < AttentionBlocks(rows_); ++block) {
      if (block == prepared_) Prepare(block);
      float* block_out = out + block * kBlock * out_stride;
      fetcher_.Clear();
      fetcher_.Add({block_out, out_stride}, Rows(block));
      FetchNext(block + 1, q);
      AttendBlock(block, q, block_out, out_stride,
                  stats == nullptr ? nullptr : stats + block * kBlock * shape_.heads * 2);
      fetcher_.Step(kBlock);
    }
  }

 private:
  size_t Rows(size_t block) const { return std::min(kBlock, rows_ - block * kBlock); }

  void FetchNext(size_t block, HeadRows q) {
    if (block >= AttentionBlocks(rows_)) return;
    const size_t row = block * kBlock;
    fetcher_.Add({q.row(row), q.stride}, Rows(block));
    if (block < prepared_) return;
    fetcher_.Add({k_.row(row), k_.stride}, Rows(block));
    fetcher_.Add({v_.row(row), v_.stride}, Rows(block));
  }

  // Keys and values, as the first of the heads comes to see them.
  void Prepare(size_t block) {
    const size_t row = block * kBlock;
    kernels_.pack(k_.row(row), k_.stride, Rows(block), head_dim_, 1.0F, keys_ + row * head_dim_);
    kernels_.copy(v_.row(row), v_.stride, Rows(block), head_dim_, values_ + row * pitch_);
    prepared_ = block + 1;
  }

  void AttendBlock(size_t block, HeadRows q, float* out, size_t out_stride, float* stats) {
    const size_t rows = Rows(block);
    const size_t first = FirstSeenBlock(block, shape_.window);
    const AttentionPlace place = {block + 1 - first, (block - first) * kBlock, shape_.window};
    kernels_.pack(q.row(block * kBlock), q.stride, rows, head_dim_, shape_.scale, query_);
    for (size_t b = 0; b < place.blocks; b += kPiece) {
      kernels_.scores(keys_ + (first + b) * kBlock * head_dim_, std::min(kPiece, place.blocks - b), query_, head_dim_,
                      scores_ + b * kAttentionBlockScores);
      fetcher_.Step(kPiece);
    }
    alignas(64) float largest[kBlock];
    alignas(64) float sums[kBlock];
    kernels_.softmax(scores_, place, largest, sums);
    for (size_t tile = 0; tile < rows; tile += kAttentionTile) {
      fetcher_.Step(2 * kPiece);
      kernels_.sum_keys(scores_ + tile, place.distance + tile + kAttentionTile, values_ + first * kBlock * pitch_,
                        pitch_, sums_ + tile * pitch_, /*fresh=*/true);
    }
    float inverse[kBlock];
    for (size_t r = 0; r < rows; ++r) {
      inverse[r] = 1.0F / sums[r];
      if (stats == nullptr) continue;
      stats[r * shape_.heads * 2] = largest[r];
      stats[r * shape_.heads * 2 + 1] = sums[r];
    }
    kernels_.store(sums_, inverse, rows, head_dim_, out, out_stride);
  }

  const CausalAttentionShape& shape_;
  const CausalAttentionKernels& kernels_;
  const size_t rows_;
  const size_t head_dim_;
  const size_t pitch_;
  const HeadRows k_;
  const HeadRows v_;
  RowFetcher fetcher_;
  size_t prepared_ = 0;  // blocks of keys and values
  float* keys_;          // packed blocks
  float* values_;        // [rows][pitch]
  float* query_;         // a packed block
  float* scores_;        // a block of queries against all blocks of keys
  float* sums_;          // [16][pitch]
};

}  // namespace

void CausalAttention(const CausalAttentionShape& shape, std::span<const uint32_t> starts, const float* q,
                     size_t q_stride, const float* k, size_t k_stride, const float* v, size_t v_stride, float* out,
                     size_t out_stride, float* softmax_stats, ThreadPool& pool) {
  ForEachCausalAttentionTask(shape, starts, pool, [&](const CausalAttentionTask& task) {
    const size_t row = task.first;
    const size_t kv = task.kv_head * shape.head_dim;
    HeadAttention attention(shape, task.rows, {k + row * k_stride + kv, k_stride}, {v + row * v_stride + kv, v_stride});
    const size_t group = shape.heads / shape.kv_heads;
    for (size_t head = task.kv_head * group; head < (task.kv_head + 1) * group; ++head) {
      const size_t at = head * shape.head_dim;
      attention.Attend({q + row * q_stride + at, q_stride}, out + row * out_stride + at, out_stride,
                       softmax_stats == nullptr ? nullptr : softmax_stats + (row * shape.heads + head) * 2);
    }
  });
}

}  // namespace enigma::engine
