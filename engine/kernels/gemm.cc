#include "engine/kernels/gemm.h"

#include <algorithm>
#include <vector>

#include "engine/kernels/check.h"
#include "engine/kernels/gemm_cpu.h"

namespace enigma::engine {

void GemmPanels::Set(const MatrixView& b, size_t k, size_t n, ThreadPool& pool) {
  k_ = k;
  n_ = n;
  if (data_.size() < panels() * kCols * k) data_ = AlignedBuffer<float>(panels() * kCols * k);
  pool.ParallelFor(panels(), RowGrain(k * kCols), [&](size_t begin, size_t end, int) {
    for (size_t p = begin; p < end; ++p) {
      float* out = data_.data() + p * k * kCols;
      const size_t cols = std::min(kCols, n - p * kCols);
      const float* in = b.data + p * kCols * b.col_stride;
      if (b.col_stride == 1) {
        for (size_t i = 0; i < k; ++i) {
          std::copy_n(in + i * b.row_stride, cols, out + i * kCols);
          std::fill_n(out + i * kCols + cols, kCols - cols, 0.0F);
        }
        continue;
      }
      for (size_t j = 0; j < kCols; ++j) {
        for (size_t i = 0; i < k; ++i) out[i * kCols + j] = j < cols ? in[i * b.row_stride + j * b.col_stride] : 0.0F;
      }
    }
  });
}

void Gemm(const MatrixView& a, size_t m, const GemmPanels& b, float* c, size_t c_stride, bool accumulate,
          ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(b.k() > 0 && (m <= 1 || c_stride >= b.n()));
  const GemmKernels& kernels = CpuGemmKernels();
  constexpr size_t kPanelsPerTask = 8;
  const size_t row_blocks = (m + kGemmRows - 1) / kGemmRows;
  const size_t panel_blocks = (b.panels() + kPanelsPerTask - 1) / kPanelsPerTask;
  pool.ParallelFor(row_blocks * panel_blocks, 1, [&](size_t begin, size_t end, int) {
    thread_local AlignedBuffer<float> tiles(kGemmRows * kGemmStretch);
    for (size_t task = begin; task < end; ++task) {
      const size_t row = task / panel_blocks * kGemmRows;
      const size_t rows = std::min(kGemmRows, m - row);
      const size_t first = task % panel_blocks * kPanelsPerTask;
      const size_t last = std::min(first + kPanelsPerTask, b.panels());
      for (size_t k = 0; k < b.k(); k += kGemmStretch) {
        const size_t stretch = std::min(kGemmStretch, b.k() - k);
        kernels.pack_rows({a.data + row * a.row_stride + k * a.col_stride, a.row_stride, a.col_stride}, rows, stretch,
                          tiles.data());
        for (size_t p = first; p < last; ++p) {
          kernels.multiply(tiles.data(), rows, b.panel(p) + k * GemmPanels::kCols,
                           std::min(GemmPanels::kCols, b.n() - p * GemmPanels::kCols), stretch,
                           c + row * c_stride + p * GemmPanels::kCols, c_stride, k == 0 && !accumulate);
        }
      }
    }
  });
}

}  // namespace enigma::engine
