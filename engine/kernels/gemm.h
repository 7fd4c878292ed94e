#pragma once

#include <cstddef>

#include "engine/tensor/aligned_buffer.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// Products of training: dense f32, of any layout. Element (i, j) of C is one chain of fused multiply-adds over k in
// rising order, begun at 0 or at a value given, the order that products of f32 weights have in inference; so its bits
// depend neither on threads nor on how rows are shared out among workers.

// Element (i, j) is data[i * row_stride + j * col_stride]; strides in floats.
struct MatrixView {
  const float* data = nullptr;
  size_t row_stride = 0;
  size_t col_stride = 1;
};

// The right factor of products, copied into panels that kernels read in order. Weights are set once for all the
// products of a step.
class GemmPanels {
 public:
  static constexpr size_t kCols = 32;  // of a panel; the last one is filled up with zeros

  // b: [k, n]. Memory is kept from one call to the next.
  void Set(const MatrixView& b, size_t k, size_t n, ThreadPool& pool);
  size_t k() const { return k_; }
  size_t n() const { return n_; }
  size_t panels() const { return (n_ + kCols - 1) / kCols; }
  const float* panel(size_t index) const { return data_.data() + index * k_ * kCols; }  // [k][kCols]

 private:
  AlignedBuffer<float> data_;
  size_t k_ = 0;
  size_t n_ = 0;
};

// C = A B, or C = start + A B. a: [m, b.k()]; c: [m, b.n()], row stride in floats; it overlaps neither factor.
// `start`: as c, and may be c; null: zeros.
void Gemm(const MatrixView& a, size_t m, const GemmPanels& b, float* c, size_t c_stride, const float* start,
          ThreadPool& pool);

}  // namespace enigma::engine
