#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/spec/product_precision.h"
#include "engine/tensor/aligned_buffer.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// Products of training: dense f32, of any layout. Element (i, j) of C is one chain of fused multiply-adds over k in
// rising order, begun at 0 or at a value given; so its bits depend neither on threads nor on how rows are shared out
// among workers.
//
// kF32: one link for each k, as products of f32 weights in inference.
//
// kBf16: factors are rounded to bf16, to nearest even; subnormal ones are zeros of their sign, before and hence after
// it. A link is a pair of k, the second one first: with z(x) = x, but a zero of its sign where x is subnormal,
//     acc = z(fma(a[2i + 1], b[2i + 1], z(acc)));  acc = z(fma(a[2i], b[2i], acc))
// An odd k ends in a pair with +0. That is what VDPBF16PS does; z of a result is judged as if its exponent had no
// bounds when it was rounded.

// Element (i, j) is data[i * row_stride + j * col_stride]; strides in floats.
struct MatrixView {
  const float* data = nullptr;
  size_t row_stride = 0;
  size_t col_stride = 1;
};

// The right factor of products, copied into panels that kernels read in order; products have the precision that it was
// made with. Weights are set once for all the products of a step.
class GemmPanels {
 public:
  static constexpr size_t kCols = 32;  // of a panel; the last one is filled up with zeros

  explicit GemmPanels(ProductPrecision precision = ProductPrecision::kF32) : precision_(precision) {}

  // b: [k, n]. Memory is kept from one call to the next.
  void Set(const MatrixView& b, size_t k, size_t n, ThreadPool& pool);
  ProductPrecision precision() const { return precision_; }
  size_t k() const { return k_; }
  size_t n() const { return n_; }
  size_t panels() const { return (n_ + kCols - 1) / kCols; }
  // Of kF32: [k][kCols].
  const float* panel(size_t index) const { return data_.data() + index * k_ * kCols; }
  // Of kBf16: [(k + 1) / 2][kCols], each two of k, the first one in the low half.
  const uint32_t* pairs(size_t index) const { return pairs_.data() + index * ((k_ + 1) / 2) * kCols; }

 private:
  ProductPrecision precision_;
  AlignedBuffer<float> data_;
  AlignedBuffer<uint32_t> pairs_;
  size_t k_ = 0;
  size_t n_ = 0;
};

// C = A B, or C = start + A B. a: [m, b.k()]; c: [m, b.n()], row stride in floats; it overlaps neither factor.
// `start`: as c, and may be c; null: zeros.
void Gemm(const MatrixView& a, size_t m, const GemmPanels& b, float* c, size_t c_stride, const float* start,
          ThreadPool& pool);

}  // namespace enigma::engine
