#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace enigma::engine {

// Documents are taken in blocks of sixteen positions. Scores of a block of keys against one of queries lie as
// [key][query], so that SIMD lanes are queries: maxima and sums over keys need no steps between lanes, and what comes
// out is what products with keys or values read next.
inline constexpr size_t kAttentionBlock = 16;
inline constexpr size_t kAttentionBlockScores = kAttentionBlock * kAttentionBlock;
// Rows of a result whose sums are formed together. A row's sums include unseen positions of its tile, with weight 0.
inline constexpr size_t kAttentionTile = 8;

// Floats from one row to the next in scratch memory: heads padded to whole vectors of every target.
inline size_t AttentionPitch(size_t head_dim) { return (head_dim + 15) / 16 * 16; }
inline size_t AttentionBlocks(size_t rows) { return (rows + kAttentionBlock - 1) / kAttentionBlock; }

// The first block of keys that the first query of `block` sees.
inline size_t FirstSeenBlock(size_t block, uint32_t window) {
  const size_t query = block * kAttentionBlock;
  return window == 0 || query < window ? 0 : (query - window + 1) / kAttentionBlock;
}

// Where blocks of keys stand to a block of queries: `distance` is the queries' first position less that of the first
// block's keys.
struct AttentionPlace {
  size_t blocks;
  size_t distance;
  uint32_t window;
};

// What the backward pass knows of sixteen queries.
struct AttentionQueryStats {
  alignas(64) float largest[kAttentionBlock];  // score
  alignas(64) float inverse[kAttentionBlock];  // 1 / sum of e^(score - largest); 0 for queries that do not exist
  alignas(64) float dots[kAttentionBlock];     // sum over i of d_out[i] * out[i]
};

// Pointers into scratch memory are aligned to 64 bytes.
struct CausalAttentionKernels {
  // x: [rows, head_dim] to blocks [head_dim][16] of x * factor, the last one filled up with zeros.
  void (*pack)(const float* x, size_t stride, size_t rows, size_t head_dim, float factor, float* blocks);
  // x: [rows, head_dim] to [rows up to whole blocks][pitch], filled up with zeros.
  void (*copy)(const float* x, size_t stride, size_t rows, size_t head_dim, float* rows_out);
  // out[r][i] = rows_in[r][i] * factors[r]; as they are where factors is null. rows_in: [rows][pitch].
  void (*store)(const float* rows_in, const float* factors, size_t rows, size_t head_dim, float* out, size_t stride);
  // dots[r] = sum over i of a[r][i] * b[r][i], for r < rows <= 16.
  void (*dots)(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t rows, size_t head_dim,
               float* dots);

  // scores[key][query] = sum over i of keys[i][key] * queries[i][query] for each packed block of keys.
  void (*scores)(const float* keys, size_t blocks, const float* queries, size_t head_dim, float* scores);
  // Scores to e^(score - largest), 0 for unseen keys; their largest score and their sum for each query.
  void (*softmax)(float* scores, const AttentionPlace& place, float* largest, float* sums);
  // Scores to probabilities p, 0 for unseen keys, and gradients of probabilities, dp, to gradients of products of query
  // and key, (p * (dp - dot)) * scale.
  void (*gradients)(float* scores, float* d_scores, const AttentionPlace& place, const AttentionQueryStats& stats,
                    float scale);

  // sums[r][i] += sum over k < keys of weights[k][r] * rows[k][i], for the 8 queries r that `weights` points at; or
  // `fresh`, from 0. sums, rows: [][pitch].
  void (*sum_keys)(const float* weights, size_t keys, const float* rows, size_t pitch, float* sums, bool fresh);
  // sums[r][i] += sum over blocks b and queries q of weights[b][r][q] * rows[16 * b + q][i] for 8 keys r, leaving out
  // the first `skip` queries. Blocks of weights are `distance` floats apart.
  void (*sum_queries)(const float* weights, size_t blocks, size_t distance, size_t skip, const float* rows,
                      size_t pitch, float* sums);
};
const CausalAttentionKernels& CpuCausalAttentionKernels();

}  // namespace enigma::engine
