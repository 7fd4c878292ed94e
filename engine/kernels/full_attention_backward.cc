#include "engine/kernels/full_attention_backward.h"

#include <algorithm>
#include <limits>

#include "engine/kernels/causal_attention_cpu.h"
#include "engine/kernels/causal_attention_tasks.h"
#include "engine/kernels/check.h"

namespace enigma::engine {
namespace {

// A query head in a task's document; all point at its first row.
struct QueryHead {
  HeadRows d_out;
  HeadRows q;
  HeadRows out;
  const float* stats;
  float* d_q;
  size_t d_q_stride;
};

// The gradients of one key/value head and its queries, in one document: a block of queries against all keys at a time.
class DocumentGradients {
 public:
  DocumentGradients(const CausalAttentionShape& shape, size_t rows, HeadRows k, HeadRows v)
      : shape_(shape),
        kernels_(CpuCausalAttentionKernels()),
        rows_(rows),
        blocks_(AttentionBlocks(rows)),
        dim_(shape.head_dim),
        pitch_(AttentionPitch(shape.head_dim)) {
    const size_t padded = blocks_ * kAttentionBlock, block = kAttentionBlock;
    const auto pieces = CausalAttentionScratch<12>({padded * dim_, padded * dim_, padded * pitch_, padded * pitch_,
                                                    padded * pitch_, block * dim_, block * dim_, block * pitch_,
                                                    block * pitch_, block * pitch_, padded * block, padded * block});
    packed_keys_ = pieces[0];
    packed_values_ = pieces[1];
    keys_ = pieces[2];
    d_keys_ = pieces[3];
    d_values_ = pieces[4];
    packed_query_ = pieces[5];
    packed_d_out_ = pieces[6];
    query_ = pieces[7];
    d_out_ = pieces[8];
    d_query_ = pieces[9];
    weights_ = pieces[10];
    d_scores_ = pieces[11];
    kernels_.pack(k.data, k.stride, rows, dim_, 1.0F, packed_keys_);
    kernels_.pack(v.data, v.stride, rows, dim_, 1.0F, packed_values_);
    kernels_.copy(k.data, k.stride, rows, dim_, keys_);
    std::fill_n(d_keys_, padded * pitch_, 0.0F);
    std::fill_n(d_values_, padded * pitch_, 0.0F);
  }

  // Writes the head's d_q, and adds to the sums of keys and values.
  void AddHead(const QueryHead& head) {
    for (size_t first = 0; first < rows_; first += kAttentionBlock) {
      const size_t rows = std::min(kAttentionBlock, rows_ - first);
      SetQueries(head, first, rows);
      SetWeights();
      std::fill_n(d_query_, kAttentionBlock * pitch_, 0.0F);
      for (size_t tile = 0; tile < rows; tile += kAttentionTile) {
        kernels_.sum_keys(d_scores_ + tile, rows_, keys_, pitch_, d_query_ + tile * pitch_, /*fresh=*/false);
      }
      kernels_.store(d_query_, nullptr, rows, dim_, head.d_q + first * head.d_q_stride, head.d_q_stride);
      for (size_t key = 0; key < rows_; key += kAttentionTile) {
        const size_t at = key * kAttentionBlock, to = key * pitch_;
        kernels_.sum_queries(weights_ + at, 1, 0, 0, d_out_, pitch_, d_values_ + to);
        kernels_.sum_queries(d_scores_ + at, 1, 0, 0, query_, pitch_, d_keys_ + to);
      }
    }
  }

  void StoreKeys(float* d_k, size_t d_k_stride, float* d_v, size_t d_v_stride) const {
    kernels_.store(d_keys_, nullptr, rows_, dim_, d_k, d_k_stride);
    kernels_.store(d_values_, nullptr, rows_, dim_, d_v, d_v_stride);
  }

 private:
  void SetQueries(const QueryHead& head, size_t first, size_t rows) {
    const HeadRows q = {head.q.row(first), head.q.stride}, d_out = {head.d_out.row(first), head.d_out.stride};
    kernels_.pack(q.data, q.stride, rows, dim_, shape_.scale, packed_query_);
    kernels_.pack(d_out.data, d_out.stride, rows, dim_, 1.0F, packed_d_out_);
    kernels_.copy(q.data, q.stride, rows, dim_, query_);
    kernels_.copy(d_out.data, d_out.stride, rows, dim_, d_out_);
    stats_ = {};
    for (size_t r = 0; r < rows; ++r) {
      const float* pair = head.stats + (first + r) * shape_.heads * 2;
      stats_.largest[r] = pair[0];
      stats_.inverse[r] = 1.0F / pair[1];
    }
    kernels_.dots(d_out.data, d_out.stride, head.out.row(first), head.out.stride, rows, dim_, stats_.dots);
  }

  // Probabilities and the gradients of scores; both are 0 for keys that fill up the last block, which nobody sees.
  void SetWeights() {
    kernels_.scores(packed_keys_, blocks_, packed_query_, dim_, weights_);
    kernels_.scores(packed_values_, blocks_, packed_d_out_, dim_, d_scores_);
    std::fill(weights_ + rows_ * kAttentionBlock, weights_ + blocks_ * kAttentionBlockScores,
              -std::numeric_limits<float>::infinity());
    kernels_.gradients(weights_, d_scores_, {blocks_, blocks_ * kAttentionBlock, 0}, stats_, shape_.scale);
  }

  const CausalAttentionShape& shape_;
  const CausalAttentionKernels& kernels_;
  const size_t rows_;
  const size_t blocks_;
  const size_t dim_;
  const size_t pitch_;

  // Of the whole document: packed blocks, then rows of `pitch_`.
  float* packed_keys_;
  float* packed_values_;
  float* keys_;
  float* d_keys_;
  float* d_values_;

  // Of the block of queries that is set.
  AttentionQueryStats stats_;
  float* packed_query_;
  float* packed_d_out_;
  float* query_;
  float* d_out_;
  float* d_query_;

  float* weights_;   // [keys][16 queries]
  float* d_scores_;  // likewise
};

}  // namespace

void FullAttentionBackward(const CausalAttentionShape& shape, std::span<const uint32_t> starts, const float* d_out,
                           size_t d_out_stride, const float* q, size_t q_stride, const float* k, size_t k_stride,
                           const float* v, size_t v_stride, const float* out, size_t out_stride,
                           const float* softmax_stats, float* d_q, size_t d_q_stride, float* d_k, size_t d_k_stride,
                           float* d_v, size_t d_v_stride, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(shape.window == 0);
  ForEachCausalAttentionTask(shape, starts, pool, [&](const CausalAttentionTask& task) {
    const size_t group = shape.heads / shape.kv_heads;
    const size_t row = task.first;
    const size_t kv = task.kv_head * shape.head_dim;
    DocumentGradients gradients(shape, task.rows, {k + row * k_stride + kv, k_stride},
                                {v + row * v_stride + kv, v_stride});
    for (size_t h = task.kv_head * group; h < (task.kv_head + 1) * group; ++h) {
      const size_t at = h * shape.head_dim;
      gradients.AddHead({.d_out = {d_out + row * d_out_stride + at, d_out_stride},
                         .q = {q + row * q_stride + at, q_stride},
                         .out = {out + row * out_stride + at, out_stride},
                         .stats = softmax_stats + (row * shape.heads + h) * 2,
                         .d_q = d_q + row * d_q_stride + at,
                         .d_q_stride = d_q_stride});
    }
    gradients.StoreKeys(d_k + row * d_k_stride + kv, d_k_stride, d_v + row * d_v_stride + kv, d_v_stride);
  });
}

}  // namespace enigma::engine
