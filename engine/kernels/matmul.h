#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <absl/status/statusor.h>

#include "engine/spec/dtype.h"
#include "engine/tensor/aligned_buffer.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// Weights of a product y = W x, [rows, cols] with cols the inner dimension, laid out in panels of 16 rows so that SIMD
// lanes run across rows: each row's sum is then accumulated strictly in the order of the inner dimension on every
// target, for one token or many. See docs/numerics.md. Immutable; thread-safe.
class PackedMatrix {
 public:
  static constexpr size_t kPanelRows = 16;

  PackedMatrix() = default;
  // `source`: the tensor as GGUF stores it, rows * RowBytes(type, cols) bytes. `pool` (may be null) speeds packing up.
  // `cols` must be a multiple of the type's block for quantised types; rows may be any number.
  static absl::StatusOr<PackedMatrix> Pack(DType type, size_t rows, size_t cols, std::span<const uint8_t> source,
                                           ThreadPool* pool);
  DType type() const { return type_; }
  size_t rows() const { return rows_; }
  size_t cols() const { return cols_; }
  size_t bytes() const { return data_.size(); }
  const uint8_t* panel(size_t index) const { return data_.data() + index * panel_bytes_; }
  size_t panels() const { return (rows_ + kPanelRows - 1) / kPanelRows; }
  // Bytes that Pack will need, for placement and memory checks.
  static uint64_t PackedBytes(DType type, uint64_t rows, uint64_t cols);

 private:
  DType type_ = DType::kF32;
  size_t rows_ = 0;
  size_t cols_ = 0;
  size_t panel_bytes_ = 0;
  AlignedBuffer<uint8_t> data_;
};

// A stretch of 512 elements of one activation row, quantised in 16 blocks of 32: value = q * scale.
struct alignas(64) ActivationChunk {
  static constexpr size_t kElements = 512;
  static constexpr size_t kBlocks = kElements / 32;
  int8_t q[kElements];
  float scale[kBlocks];
  float scaled_sum[kBlocks];      // scale * (sum of the block's q), rounded once
  int32_t sum[kBlocks];           // of the block's q
  int16_t half_sum[2 * kBlocks];  // of each half block's q
};

// The right-hand side of products: rows of f32 and, where the weights are quantised, the same rows quantised per token
// in blocks of 32. Made once, used by several products. Reuses its memory between calls. Not thread-safe while Set
// runs.
class ActivationRows {
 public:
  // x: [tokens, cols] f32, row stride `stride` floats; must outlive its use. Quantises lazily: only if `quantise`, and
  // then cols must be a multiple of 32.
  void Set(const float* x, size_t tokens, size_t cols, size_t stride, bool quantise, ThreadPool& pool);

  size_t tokens() const { return tokens_; }
  size_t cols() const { return cols_; }
  bool quantised() const { return quantised_; }
  const float* data() const { return x_; }
  size_t stride() const { return stride_; }
  const float* row(size_t token) const { return x_ + token * stride_; }
  // Chunk `chunk` of all tokens, one after the other: what a tile of weights is multiplied with lies together.
  const ActivationChunk* chunk(size_t chunk) const { return chunks_.data() + chunk * tokens_; }

 private:
  const float* x_ = nullptr;
  size_t tokens_ = 0, cols_ = 0, stride_ = 0;
  bool quantised_ = false;
  AlignedBuffer<ActivationChunk> chunks_;
};

// Whether products with this type read ActivationRows::q8 (true) or the f32 rows (F32, F16, BF16).
bool NeedsQuantisedActivations(DType type);

// y[t][r] = sum_c W[r][c] x[t][c] for every token t; y has row stride `stride` floats. Splits rows of W, never the
// inner dimension, between threads. The bits of y[t][r] depend on W's row, x's row and the contract alone.
void MatMul(const PackedMatrix& w, const ActivationRows& x, float* y, size_t stride, ThreadPool& pool);

}  // namespace enigma::engine
