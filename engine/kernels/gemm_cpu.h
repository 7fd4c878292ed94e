#pragma once

#include <cstddef>

#include "engine/kernels/gemm.h"

namespace enigma::engine {

// Columns of A and rows of a panel that are multiplied at a time: a panel's stretch stays in the first-level cache.
inline constexpr size_t kGemmStretch = 192;
// Rows of A that share them; a multiple of every target's tile.
inline constexpr size_t kGemmRows = 168;

struct GemmKernels {
  size_t tile_rows;  // rows whose sums live in registers
  // Copies rows [0, m) and columns [0, k) of a into tiles [k][tile_rows], the last one filled up with zeros.
  void (*pack_rows)(const MatrixView& a, size_t m, size_t k, float* tiles);
  // c[m, n] += tiles * stretch, n <= GemmPanels::kCols; `fresh`: c begins at 0.
  void (*multiply)(const float* tiles, size_t m, const float* stretch, size_t n, size_t k, float* c, size_t c_stride,
                   bool fresh);
};
const GemmKernels& CpuGemmKernels();

}  // namespace enigma::engine
