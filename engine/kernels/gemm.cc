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

// [k][kCols] from rows of B^T, a few of k at a time so that the lines written to stay in the first-level cache.
void PackAcross(const float* in, size_t col_stride, size_t k, size_t cols, float* out) {
  constexpr size_t kBlock = 32;
  for (size_t first = 0; first < k; first += kBlock) {
    const size_t last = std::min(first + kBlock, k);
    for (size_t j = 0; j < GemmPanels::kCols; ++j) {
      for (size_t i = first; i < last; ++i) out[i * GemmPanels::kCols + j] = j < cols ? in[j * col_stride + i] : 0.0F;
    }
  }
}

}  // namespace

void GemmPanels::Set(const MatrixView& b, size_t k, size_t n, ThreadPool& pool) {
  k_ = k;
  n_ = n;
  if (data_.size() < panels() * kCols * k) data_ = AlignedBuffer<float>(panels() * kCols * k);
  pool.ParallelFor(panels(), RowGrain(k * kCols), [&](size_t begin, size_t end, int) {
    for (size_t p = begin; p < end; ++p) {
      float* out = data_.data() + p * k * kCols;
      const size_t cols = std::min(kCols, n - p * kCols);
      const float* in = b.data + p * kCols * b.col_stride;
      if (b.col_stride == 1 && cols == kCols) {
        for (size_t i = 0; i < k; ++i) std::memcpy(out + i * kCols, in + i * b.row_stride, kCols * sizeof(float));
      } else if (b.row_stride == 1) {
        PackAcross(in, b.col_stride, k, cols, out);
      } else {
        for (size_t i = 0; i < k; ++i) {
          for (size_t j = 0; j < kCols; ++j) {
            out[i * kCols + j] = j < cols ? in[i * b.row_stride + j * b.col_stride] : 0.0F;
          }
        }
      }
    }
  });
}

void Gemm(const MatrixView& a, size_t m, const GemmPanels& b, float* c, size_t c_stride, const float* start,
          ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(b.k() > 0 && (m <= 1 || c_stride >= b.n()));
  const GemmKernels& kernels = CpuGemmKernels();
  const Cut cut = CutFor(m, b.panels(), kernels.tile_rows, pool.threads());
  const size_t row_blocks = (m + cut.rows - 1) / cut.rows;
  const size_t panel_blocks = (b.panels() + cut.panels - 1) / cut.panels;
  const bool across = a.row_stride == 1;
  pool.ParallelFor(row_blocks * panel_blocks, 1, [&](size_t begin, size_t end, int) {
    thread_local AlignedBuffer<float> tiles(kGemmRows * kGemmPitch);
    for (size_t task = begin; task < end; ++task) {
      const size_t row = task / panel_blocks * cut.rows;
      const size_t rows = std::min(cut.rows, m - row);
      const size_t first = task % panel_blocks * cut.panels;
      const size_t last = std::min(first + cut.panels, b.panels());
      for (size_t k = 0; k < b.k(); k += kGemmStretch) {
        const size_t stretch = std::min(kGemmStretch, b.k() - k);
        kernels.pack_rows({a.data + row * a.row_stride + k * a.col_stride, a.row_stride, a.col_stride}, rows, stretch,
                          tiles.data());
        const float* from = k == 0 ? start : c;
        for (size_t p = first; p < last; ++p) {
          const size_t at = row * c_stride + p * GemmPanels::kCols;
          kernels.multiply(tiles.data(), across, rows, b.panel(p) + k * GemmPanels::kCols,
                           std::min(GemmPanels::kCols, b.n() - p * GemmPanels::kCols), stretch,
                           from == nullptr ? nullptr : from + at, c + at, c_stride);
        }
      }
    }
  });
}

}  // namespace enigma::engine
