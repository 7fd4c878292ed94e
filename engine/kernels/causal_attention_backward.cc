#include "engine/kernels/causal_attention_backward.h"

#include <algorithm>

#include "engine/kernels/causal_attention_cpu.h"
#include "engine/kernels/causal_attention_tasks.h"

namespace enigma::engine {
namespace {

constexpr size_t kBlock = kAttentionBlock;
// Blocks of queries, and of keys, whose weights are in memory at a time: they stay in the first-level cache.
constexpr size_t kQueryBlocks = 4;
constexpr size_t kKeyBlocks = 4;
// Rows asked for between two pieces of arithmetic.
constexpr size_t kFetchRows = 1;
constexpr size_t kWeightsPerQueryBlock = kKeyBlocks * kAttentionBlockScores;

// A query head in a task's document; all point at its first row.
struct Head {
  HeadRows d_out;
  HeadRows q;
  HeadRows out;
  const float* stats;
  float* d_q;
  size_t d_q_stride;
};

// The gradients of one key/value head and its queries, in one document.
class HeadGradients {
 public:
  HeadGradients(const CausalAttentionShape& shape, size_t rows, HeadRows k, HeadRows v, float* d_k, size_t d_k_stride,
                float* d_v, size_t d_v_stride)
      : shape_(shape),
        kernels_(CpuCausalAttentionKernels()),
        rows_(rows),
        head_dim_(shape.head_dim),
        pitch_(AttentionPitch(shape.head_dim)),
        k_(k),
        v_(v),
        d_k_(d_k),
        d_k_stride_(d_k_stride),
        d_v_(d_v),
        d_v_stride_(d_v_stride),
        fetcher_(shape.head_dim) {
    const size_t padded = AttentionBlocks(rows) * kBlock;
    const size_t weights = kQueryBlocks * kWeightsPerQueryBlock;
    const size_t packed = kQueryBlocks * kBlock * head_dim_;
    const size_t queries = kQueryBlocks * kBlock * pitch_;
    const auto pieces =
        CausalAttentionScratch<12>({padded * head_dim_, padded * head_dim_, padded * pitch_, padded * pitch_,
                                    padded * pitch_, packed, packed, queries, queries, queries, weights, weights});
    packed_keys_ = pieces[0];
    packed_values_ = pieces[1];
    keys_ = pieces[2];
    d_keys_ = pieces[3];
    d_values_ = pieces[4];
    packed_queries_ = pieces[5];
    packed_d_out_ = pieces[6];
    queries_ = pieces[7];
    d_out_ = pieces[8];
    d_queries_ = pieces[9];
    weights_ = pieces[10];
    d_scores_ = pieces[11];
  }

  // Writes the head's d_q, and adds to the sums of keys and values.
  void AddHead(const Head& head) {
    for (size_t row = 0; row < rows_; row += kQueryBlocks * kBlock) {
      fetcher_.Clear();
      if (row == prepared_) {
        Prepare(row);
        fetcher_.Add({d_k_ + row * d_k_stride_, d_k_stride_}, Rows(row));
        fetcher_.Add({d_v_ + row * d_v_stride_, d_v_stride_}, Rows(row));
      }
      SetQueries(head, row);
      fetcher_.Add({head.d_q + row * head.d_q_stride, head.d_q_stride}, query_rows_);
      FetchNext(head, row + query_rows_);
      for (size_t keys = FirstSeenBlock(query_block_, shape_.window) / kKeyBlocks * kKeyBlocks;
           keys < query_block_ + query_blocks_; keys += kKeyBlocks) {
        AddKeys(keys);
      }
      kernels_.store(d_queries_, nullptr, query_rows_, head_dim_, head.d_q + row * head.d_q_stride, head.d_q_stride);
    }
  }

  void StoreKeys() const {
    kernels_.store(d_keys_, nullptr, rows_, head_dim_, d_k_, d_k_stride_);
    kernels_.store(d_values_, nullptr, rows_, head_dim_, d_v_, d_v_stride_);
  }

 private:
  // Rows from `row` on that are taken at a time.
  size_t Rows(size_t row) const { return std::min(kQueryBlocks * kBlock, rows_ - row); }

  void FetchNext(const Head& head, size_t row) {
    if (row >= rows_) return;
    for (const HeadRows& rows : {head.q, head.d_out, head.out}) fetcher_.Add({rows.row(row), rows.stride}, Rows(row));
    if (row < prepared_) return;
    for (const HeadRows& rows : {k_, v_}) fetcher_.Add({rows.row(row), rows.stride}, Rows(row));
  }

  // Keys and values from `row` on, as the first of the heads comes to see them.
  void Prepare(size_t row) {
    const size_t rows = Rows(row);
    kernels_.pack(k_.row(row), k_.stride, rows, head_dim_, 1.0F, packed_keys_ + row * head_dim_);
    kernels_.pack(v_.row(row), v_.stride, rows, head_dim_, 1.0F, packed_values_ + row * head_dim_);
    kernels_.copy(k_.row(row), k_.stride, rows, head_dim_, keys_ + row * pitch_);
    const size_t sums = AttentionBlocks(rows) * kBlock * pitch_;
    std::fill_n(d_keys_ + row * pitch_, sums, 0.0F);
    std::fill_n(d_values_ + row * pitch_, sums, 0.0F);
    prepared_ = row + rows;
  }

  void SetQueries(const Head& head, size_t row) {
    query_block_ = row / kBlock;
    query_rows_ = Rows(row);
    query_blocks_ = AttentionBlocks(query_rows_);
    const HeadRows q = {head.q.row(row), head.q.stride};
    const HeadRows d_out = {head.d_out.row(row), head.d_out.stride};
    kernels_.pack(q.data, q.stride, query_rows_, head_dim_, shape_.scale, packed_queries_);
    kernels_.pack(d_out.data, d_out.stride, query_rows_, head_dim_, 1.0F, packed_d_out_);
    kernels_.copy(q.data, q.stride, query_rows_, head_dim_, queries_);
    kernels_.copy(d_out.data, d_out.stride, query_rows_, head_dim_, d_out_);
    std::fill_n(d_queries_, query_blocks_ * kBlock * pitch_, 0.0F);
    for (size_t b = 0; b < query_blocks_; ++b) {
      stats_[b] = {};
      const size_t first = b * kBlock;
      const size_t count = std::min(kBlock, query_rows_ - first);
      for (size_t r = 0; r < count; ++r) {
        const float* pair = head.stats + (row + first + r) * shape_.heads * 2;
        stats_[b].largest[r] = pair[0];
        stats_[b].inverse[r] = 1.0F / pair[1];
      }
      kernels_.dots(d_out.row(first), d_out.stride, head.out.row(row + first), head.out.stride, count, head_dim_,
                    stats_[b].dots);
    }
  }

  // The queries that are set against kKeyBlocks blocks of keys from `first` on, as far as they are seen.
  void AddKeys(size_t first) {
    const size_t end = std::min(first + kKeyBlocks, query_block_ + query_blocks_);
    for (size_t b = 0; b < query_blocks_; ++b) {
      const size_t query = query_block_ + b;
      const size_t from = std::max(first, FirstSeenBlock(query, shape_.window));
      const size_t to = std::min(end, query + 1);
      if (from >= to) continue;
      const AttentionPlace place = {to - from, (query - from) * kBlock, shape_.window};
      float* weights = weights_ + b * kWeightsPerQueryBlock + (from - first) * kAttentionBlockScores;
      float* d_scores = d_scores_ + (weights - weights_);
      const size_t packed = b * kBlock * head_dim_;
      kernels_.scores(packed_keys_ + from * kBlock * head_dim_, place.blocks, packed_queries_ + packed, head_dim_,
                      weights);
      fetcher_.Step(kFetchRows);
      kernels_.scores(packed_values_ + from * kBlock * head_dim_, place.blocks, packed_d_out_ + packed, head_dim_,
                      d_scores);
      fetcher_.Step(kFetchRows);
      kernels_.gradients(weights, d_scores, place, stats_[b], shape_.scale);
      fetcher_.Step(kFetchRows);
      for (size_t tile = 0; tile < kBlock; tile += kAttentionTile) {
        const size_t keys = std::min((to - from) * kBlock, place.distance + tile + kAttentionTile);
        kernels_.sum_keys(d_scores + tile, keys, keys_ + from * kBlock * pitch_, pitch_,
                          d_queries_ + (b * kBlock + tile) * pitch_, /*fresh=*/false);
      }
    }
    for (size_t key = first; key < end; ++key) AddQueries(key, (key - first) * kAttentionBlockScores);
  }

  // The block of keys `key`, whose weights begin at `offset`, against the queries that see it.
  void AddQueries(size_t key, size_t offset) {
    const size_t begin = key > query_block_ ? key - query_block_ : 0;
    size_t end = begin;
    while (end < query_blocks_ && FirstSeenBlock(query_block_ + end, shape_.window) <= key) ++end;
    if (begin == end) return;
    for (size_t tile = 0; tile < kBlock; tile += kAttentionTile) {
      const size_t skip = query_block_ + begin == key ? tile : 0;
      const size_t weights = begin * kWeightsPerQueryBlock + offset + tile * kBlock;
      const size_t row = begin * kBlock * pitch_;
      const size_t sums = (key * kBlock + tile) * pitch_;
      kernels_.sum_queries(weights_ + weights, end - begin, kWeightsPerQueryBlock, skip, d_out_ + row, pitch_,
                           d_values_ + sums);
      kernels_.sum_queries(d_scores_ + weights, end - begin, kWeightsPerQueryBlock, skip, queries_ + row, pitch_,
                           d_keys_ + sums);
      fetcher_.Step(kFetchRows);
    }
  }

  const CausalAttentionShape& shape_;
  const CausalAttentionKernels& kernels_;
  const size_t rows_;
  const size_t head_dim_;
  const size_t pitch_;

  const HeadRows k_;
  const HeadRows v_;
  float* const d_k_;
  const size_t d_k_stride_;
  float* const d_v_;
  const size_t d_v_stride_;
  RowFetcher fetcher_;

  // Of the whole document: packed blocks, then rows of `pitch_`.
  size_t prepared_ = 0;  // rows of keys and values
  float* packed_keys_;
  float* packed_values_;
  float* keys_;
  float* d_keys_;
  float* d_values_;

  // Of the queries that are set.
  size_t query_block_ = 0;
  size_t query_blocks_ = 0;
  size_t query_rows_ = 0;
  float* packed_queries_;
  float* packed_d_out_;
  float* queries_;
  float* d_out_;
  float* d_queries_;
  AttentionQueryStats stats_[kQueryBlocks];

  // [query block][key][query] against the keys at hand.
  float* weights_;
  float* d_scores_;
};

}  // namespace

void CausalAttentionBackward(const CausalAttentionShape& shape, std::span<const uint32_t> starts, const float* d_out,
                             size_t d_out_stride, const float* q, size_t q_stride, const float* k, size_t k_stride,
                             const float* v, size_t v_stride, const float* out, size_t out_stride,
                             const float* softmax_stats, float* d_q, size_t d_q_stride, float* d_k, size_t d_k_stride,
                             float* d_v, size_t d_v_stride, ThreadPool& pool) {
  ForEachCausalAttentionTask(shape, starts, pool, [&](const CausalAttentionTask& task) {
    const size_t group = shape.heads / shape.kv_heads;
    const size_t row = task.first;
    const size_t kv = task.kv_head * shape.head_dim;
    HeadGradients gradients(shape, task.rows, {k + row * k_stride + kv, k_stride}, {v + row * v_stride + kv, v_stride},
                            d_k + row * d_k_stride + kv, d_k_stride, d_v + row * d_v_stride + kv, d_v_stride);
    for (size_t h = task.kv_head * group; h < (task.kv_head + 1) * group; ++h) {
      const size_t at = h * shape.head_dim;
      gradients.AddHead({.d_out = {d_out + row * d_out_stride + at, d_out_stride},
                         .q = {q + row * q_stride + at, q_stride},
                         .out = {out + row * out_stride + at, out_stride},
                         .stats = softmax_stats + (row * shape.heads + h) * 2,
                         .d_q = d_q + row * d_q_stride + at,
                         .d_q_stride = d_q_stride});
    }
    gradients.StoreKeys();
  });
}

}  // namespace enigma::engine
