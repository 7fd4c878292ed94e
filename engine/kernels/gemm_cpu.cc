#include "engine/kernels/gemm_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/gemm_cpu.cc"
#include <algorithm>
#include <cstring>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

// Two vectors of every row: with 32 registers twelve rows (AVX-512; fourteen would fit, and fit common widths worse),
// with 16 six.
constexpr size_t kTileRows = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL ? 12 : 6;
constexpr size_t kTileCols = 2 * kFloatLanes;
static_assert(kGemmRows % kTileRows == 0 && GemmPanels::kCols % kTileCols == 0);

// Floats of a packed tile.
constexpr size_t kTileFloats = kTileRows * kGemmPitch;

void PackGemmRows(const MatrixView& a, size_t m, size_t k, float* tiles) {
  for (size_t row = 0; row < m; row += kTileRows, tiles += kTileFloats) {
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
  HWY_ALIGN float edge[kTileRows * kTileCols];
  for (size_t row = 0; row < m; row += kTileRows, tiles += kTileFloats) {
    const size_t rows = std::min(kTileRows, m - row);
    for (size_t col = 0; col < n; col += kTileCols) {
      const size_t cols = std::min(kTileCols, n - col);
      const size_t at = row * c_stride + col;
      if (rows == kTileRows && cols == kTileCols) {
        MultiplyTile<kAcross>(tiles, stretch + col, k, start == nullptr ? nullptr : start + at, c + at, c_stride);
        continue;
      }
      if (start != nullptr) {
        std::memset(edge, 0, sizeof(edge));
        for (size_t r = 0; r < rows; ++r)
          std::memcpy(edge + r * kTileCols, start + at + r * c_stride, cols * sizeof(float));
      }
      MultiplyTile<kAcross>(tiles, stretch + col, k, start == nullptr ? nullptr : edge, edge, kTileCols);
      for (size_t r = 0; r < rows; ++r) std::memcpy(c + at + r * c_stride, edge + r * kTileCols, cols * sizeof(float));
    }
  }
}

void MultiplyPanel(const float* tiles, bool across, size_t m, const float* stretch, size_t n, size_t k,
                   const float* start, float* c, size_t c_stride) {
  if (across) {
    MultiplyTiles<true>(tiles, m, stretch, n, k, start, c, c_stride);
  } else {
    MultiplyTiles<false>(tiles, m, stretch, n, k, start, c, c_stride);
  }
}

inline constexpr GemmKernels kGemmKernels = {kTileRows, PackGemmRows, MultiplyPanel};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(GemmKernels, CpuGemmKernels, kGemmKernels)
}  // namespace enigma::engine
#endif
