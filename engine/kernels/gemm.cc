#include "engine/kernels/gemm.h"

#include <algorithm>
#include <cstring>

#include "engine/kernels/check.h"
#include "engine/kernels/gemm_cpu.h"

namespace enigma::engine {

namespace {

// Rows and panels of one task: few enough that every thread gets several, many enough that what is packed is used
// often.
struct Cut {
  size_t rows;
  size_t panels;
};

Cut CutFor(size_t m, size_t panels, size_t tile_rows, int threads) {
  const size_t wanted = threads == 1 ? 1 : size_t{4} * static_cast<size_t>(threads);
  const auto parts = [](size_t whole, size_t part) { return (whole + part - 1) / part; };
  Cut cut = {.rows = kGemmRows, .panels = panels};
  // A row that is packed must serve many columns, so panels are shared out first only where there are many.
  constexpr size_t kPanelsMin = 8;
  constexpr size_t kTilesMin = 3;
  while (parts(m, cut.rows) * parts(panels, cut.panels) < wanted) {
    if (cut.panels >= 2 * kPanelsMin) {
      cut.panels = parts(cut.panels, 2);
    } else if (cut.rows > kTilesMin * tile_rows) {
      cut.rows = std::max(kTilesMin, parts(std::min(cut.rows, m), 2 * tile_rows)) * tile_rows;
    } else if (cut.panels > 2) {
      cut.panels = parts(cut.panels, 2);
    } else {
      break;
    }
  }
  return cut;
}

template <class Word>
void PackPanels(const GemmKernels<Word>& kernels, const MatrixView& b, size_t k, size_t n, size_t words, Word* out,
                ThreadPool& pool) {
  constexpr size_t kCols = GemmPanels::kCols;
  pool.ParallelFor((n + kCols - 1) / kCols, RowGrain(k * kCols), [&](size_t begin, size_t end, int) {
    for (size_t p = begin; p < end; ++p) {
      const MatrixView panel = {b.data + p * kCols * b.col_stride, b.row_stride, b.col_stride};
      kernels.pack_panel(panel, k, std::min(kCols, n - p * kCols), out + p * words * kCols);
    }
  });
}

// The left factor, and where the product goes.
struct Product {
  const MatrixView& a;
  size_t m;
  const float* start;
  float* c;
  size_t c_stride;
};

// `depth`: values in a word. `panel(p)`: [words][kCols].
template <class Word, class Panel>
void Multiply(const GemmKernels<Word>& kernels, size_t depth, const Product& product, const GemmPanels& b,
              const Panel& panel, ThreadPool& pool) {
  const MatrixView& a = product.a;
  const size_t m = product.m;
  const size_t c_stride = product.c_stride;
  const Cut cut = CutFor(m, b.panels(), kernels.tile_rows, pool.threads());
  const size_t row_blocks = (m + cut.rows - 1) / cut.rows;
  const size_t panel_blocks = (b.panels() + cut.panels - 1) / cut.panels;
  const bool across = a.row_stride == 1;
  const size_t words = (b.k() + depth - 1) / depth;
  pool.ParallelFor(row_blocks * panel_blocks, 1, [&](size_t begin, size_t end, int) {
    thread_local AlignedBuffer<Word> tiles(kGemmRows * kGemmPitch);
    for (size_t task = begin; task < end; ++task) {
      const size_t row = task / panel_blocks * cut.rows;
      const size_t rows = std::min(cut.rows, m - row);
      const size_t first = task % panel_blocks * cut.panels;
      const size_t last = std::min(first + cut.panels, b.panels());
      for (size_t word = 0; word < words; word += kGemmStretch) {
        const size_t stretch = std::min(kGemmStretch, words - word);
        const size_t k = word * depth;
        kernels.pack_rows({a.data + row * a.row_stride + k * a.col_stride, a.row_stride, a.col_stride}, rows,
                          std::min(stretch * depth, b.k() - k), tiles.data());
        const float* from = word == 0 ? product.start : product.c;
        for (size_t p = first; p < last; ++p) {
          const size_t at = row * c_stride + p * GemmPanels::kCols;
          kernels.multiply(tiles.data(), across, rows, panel(p) + word * GemmPanels::kCols,
                           std::min(GemmPanels::kCols, b.n() - p * GemmPanels::kCols), stretch,
                           from == nullptr ? nullptr : from + at, product.c + at, c_stride);
        }
      }
    }
  });
}

}  // namespace

void GemmPanels::Set(const MatrixView& b, size_t k, size_t n, ThreadPool& pool) {
  k_ = k;
  n_ = n;
  const size_t words = precision_ == ProductPrecision::kF32 ? k : (k + 1) / 2;
  const size_t size = panels() * words * kCols;
  if (precision_ == ProductPrecision::kF32) {
    if (data_.size() < size) data_ = AlignedBuffer<float>(size);
    PackPanels(CpuF32GemmKernels(), b, k, n, words, data_.data(), pool);
  } else {
    if (pairs_.size() < size) pairs_ = AlignedBuffer<uint32_t>(size);
    PackPanels(CpuBf16GemmKernels(), b, k, n, words, pairs_.data(), pool);
  }
}

void Gemm(const MatrixView& a, size_t m, const GemmPanels& b, float* c, size_t c_stride, const float* start,
          ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(b.k() > 0 && (m <= 1 || c_stride >= b.n()));
  const Product product = {.a = a, .m = m, .start = start, .c = c, .c_stride = c_stride};
  if (b.precision() == ProductPrecision::kF32) {
    Multiply(
        CpuF32GemmKernels(), 1, product, b, [&](size_t p) { return b.panel(p); }, pool);
  } else {
    Multiply(
        CpuBf16GemmKernels(), 2, product, b, [&](size_t p) { return b.pairs(p); }, pool);
  }
}

}  // namespace enigma::engine
