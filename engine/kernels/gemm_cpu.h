#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/gemm.h"

namespace enigma::engine {

// What is packed consists of words: floats, or pairs of bf16 that are neighbours in the inner dimension.

// Words of A's rows and rows of a panel that are multiplied at a time: a panel's stretch stays in the first-level
// cache.
inline constexpr size_t kGemmStretch = 192;
// Rows of A that share them; a multiple of every target's tile.
inline constexpr size_t kGemmRows = 168;
// Rows of a tile with the 32 registers of AVX-512.
inline constexpr size_t kGemmAvx512Rows = 12;
// Words from one packed row to the next: an odd number of cache lines, so that the rows of a tile do not displace each
// other.
inline constexpr size_t kGemmPitch = kGemmStretch + 16;

// c[m, n] = start + tiles * stretch, n <= GemmPanels::kCols; `start` has c's stride, may be c, and null for zeros.
// `across`: tiles hold columns.
template <class Word>
using MultiplyStretch = void (*)(const Word* tiles, bool across, size_t m, const Word* stretch, size_t n, size_t words,
                                 const float* start, float* c, size_t c_stride);

template <class Word>
struct GemmKernels {
  size_t tile_rows;  // rows whose sums live in registers
  // Copies rows [0, m) and columns [0, k) of a into tiles of tile_rows rows, kGemmPitch * tile_rows words each; rows
  // that do not exist become zeros, and so does what an odd k lacks. Within a tile row after row, or where a's rows are
  // next to each other (row_stride 1) column after column.
  void (*pack_rows)(const MatrixView& a, size_t m, size_t k, Word* tiles);
  // b: [k, cols], cols <= GemmPanels::kCols, into a whole panel.
  void (*pack_panel)(const MatrixView& b, size_t k, size_t cols, Word* panel);
  MultiplyStretch<Word> multiply;
};
using F32GemmKernels = GemmKernels<float>;
using Bf16GemmKernels = GemmKernels<uint32_t>;
const F32GemmKernels& CpuF32GemmKernels();
const Bf16GemmKernels& CpuBf16GemmKernels();

}  // namespace enigma::engine
