#pragma once

#include <cstddef>

#include "engine/kernels/gemm.h"

namespace enigma::engine {

// Columns of A and rows of a panel that are multiplied at a time: a panel's stretch stays in the first-level cache.
inline constexpr size_t kGemmStretch = 192;
// Rows of A that share them; a multiple of every target's tile.
inline constexpr size_t kGemmRows = 168;
// Floats from one packed row to the next: an odd number of cache lines, so that the rows of a tile do not displace each
// other.
inline constexpr size_t kGemmPitch = kGemmStretch + 16;

struct GemmKernels {
  size_t tile_rows;  // rows whose sums live in registers
  // Copies rows [0, m) and columns [0, k) of a into tiles of tile_rows rows, kGemmPitch * tile_rows floats each; rows
  // that do not exist become zeros. Within a tile row after row, or where a's rows are next to each other
  // (row_stride 1) column after column.
  void (*pack_rows)(const MatrixView& a, size_t m, size_t k, float* tiles);
  // c[m, n] = start + tiles * stretch, n <= GemmPanels::kCols; `start` has c's stride, may be c, and null for zeros.
  // `across`: tiles hold columns.
  void (*multiply)(const float* tiles, bool across, size_t m, const float* stretch, size_t n, size_t k,
                   const float* start, float* c, size_t c_stride);
};
const GemmKernels& CpuGemmKernels();

}  // namespace enigma::engine
