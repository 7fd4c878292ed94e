#include "engine/kernels/gemm_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/gemm_cpu.cc"
#include <algorithm>
#include <cstring>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/gemm_tiles_inl.h"
#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

void PackGemmRows(const MatrixView& a, size_t m, size_t k, float* tiles) {
  for (size_t row = 0; row < m; row += kTileRows, tiles += kTileWords) {
    const size_t rows = std::min(kTileRows, m - row);
    const float* in = a.data + row * a.row_stride;
    if (a.row_stride == 1) {
      if (rows == kTileRows) {
        for (size_t c = 0; c < k; ++c) {
          std::memcpy(tiles + c * kTileRows, in + c * a.col_stride, sizeof(float) * kTileRows);
        }
        continue;
      }
      std::fill_n(tiles, k * kTileRows, 0.0F);
      for (size_t c = 0; c < k; ++c) std::copy_n(in + c * a.col_stride, rows, tiles + c * kTileRows);
      continue;
    }
    for (size_t r = 0; r < rows; ++r) {
      float* out = tiles + r * kGemmPitch;
      const float* from = in + r * a.row_stride;
      if (a.col_stride == 1) {
        std::memcpy(out, from, k * sizeof(float));
      } else {
        for (size_t c = 0; c < k; ++c) out[c] = from[c * a.col_stride];
      }
    }
    for (size_t r = rows; r < kTileRows; ++r) std::fill_n(tiles + r * kGemmPitch, k, 0.0F);
  }
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

void PackGemmPanel(const MatrixView& b, size_t k, size_t cols, float* out) {
  constexpr size_t kCols = GemmPanels::kCols;
  if (b.col_stride == 1 && cols == kCols) {
    for (size_t i = 0; i < k; ++i) std::memcpy(out + i * kCols, b.data + i * b.row_stride, kCols * sizeof(float));
  } else if (b.row_stride == 1) {
    PackAcross(b.data, b.col_stride, k, cols, out);
  } else {
    for (size_t i = 0; i < k; ++i) {
      for (size_t j = 0; j < kCols; ++j) {
        out[i * kCols + j] = j < cols ? b.data[i * b.row_stride + j * b.col_stride] : 0.0F;
      }
    }
  }
}

// One tile of c: kTileRows x kTileCols, all of them there.
template <bool kAcross>
HWY_INLINE void MultiplyTile(const float* HWY_RESTRICT tile, const float* HWY_RESTRICT stretch, size_t k,
                             const float* start, float* c, size_t c_stride) {
  const DF d;
  VF sums[kTileRows][2];
  if (start == nullptr) {
    for (size_t r = 0; r < kTileRows; ++r) sums[r][0] = sums[r][1] = hn::Zero(d);
  } else {
    for (size_t r = 0; r < kTileRows; ++r) {
      sums[r][0] = hn::LoadU(d, start + r * c_stride);
      sums[r][1] = hn::LoadU(d, start + r * c_stride + kFloatLanes);
    }
  }
  for (size_t i = 0; i < k; ++i) {
    const VF b0 = hn::Load(d, stretch + i * GemmPanels::kCols);
    const VF b1 = hn::Load(d, stretch + i * GemmPanels::kCols + kFloatLanes);
    for (size_t r = 0; r < kTileRows; ++r) {
      const VF a = hn::Set(d, tile[kAcross ? i * kTileRows + r : r * kGemmPitch + i]);
      sums[r][0] = hn::MulAdd(a, b0, sums[r][0]);
      sums[r][1] = hn::MulAdd(a, b1, sums[r][1]);
    }
  }
  for (size_t r = 0; r < kTileRows; ++r) {
    hn::StoreU(sums[r][0], d, c + r * c_stride);
    hn::StoreU(sums[r][1], d, c + r * c_stride + kFloatLanes);
  }
}

template <bool kAcross>
void MultiplyTiles(const float* tiles, size_t m, const float* stretch, size_t n, size_t k, const float* start, float* c,
                   size_t c_stride) {
  ForEachTile(tiles, m, n, start, c, c_stride,
              [&](const float* tile, size_t col, const float* from, float* to, size_t stride)
                  HWY_ATTR { MultiplyTile<kAcross>(tile, stretch + col, k, from, to, stride); });
}

void MultiplyGemmPanel(const float* tiles, bool across, size_t m, const float* stretch, size_t n, size_t k,
                       const float* start, float* c, size_t c_stride) {
  if (across) {
    MultiplyTiles<true>(tiles, m, stretch, n, k, start, c, c_stride);
  } else {
    MultiplyTiles<false>(tiles, m, stretch, n, k, start, c, c_stride);
  }
}

inline constexpr F32GemmKernels kGemmKernels = {kTileRows, PackGemmRows, PackGemmPanel, MultiplyGemmPanel};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(F32GemmKernels, CpuF32GemmKernels, kGemmKernels)
}  // namespace enigma::engine
#endif
