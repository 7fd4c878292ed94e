// Tiles of C in the products of gemm.h, compiled once per target. Included after hwy/foreach_target.h and
// hwy/highway.h.
#if defined(ENIGMA_KERNELS_GEMM_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ENIGMA_KERNELS_GEMM_TILES_INL_H
#undef ENIGMA_KERNELS_GEMM_TILES_INL_H
#else
#define ENIGMA_KERNELS_GEMM_TILES_INL_H
#endif

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "engine/kernels/gemm_cpu.h"
#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

// Two vectors of every row: with 32 registers twelve rows (AVX-512; fourteen would fit, and fit common widths worse),
// with 16 six.
inline constexpr size_t kTileRows = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL ? kGemmAvx512Rows : 6;
inline constexpr size_t kTileCols = 2 * kFloatLanes;
static_assert(kGemmRows % kTileRows == 0 && GemmPanels::kCols % kTileCols == 0);

// Words of a packed tile.
inline constexpr size_t kTileWords = kTileRows * kGemmPitch;

// Calls multiply(tile, column of the stretch, start, c, row stride of both) for tiles of kTileRows x kTileCols, all of
// them there: at edges `start` and `c` are a copy.
template <class Word, class Multiply>
HWY_INLINE void ForEachTile(const Word* tiles, size_t m, size_t n, const float* start, float* c, size_t c_stride,
                            const Multiply& multiply) {
  HWY_ALIGN float edge[kTileRows * kTileCols];
  for (size_t row = 0; row < m; row += kTileRows, tiles += kTileWords) {
    const size_t rows = std::min(kTileRows, m - row);
    for (size_t col = 0; col < n; col += kTileCols) {
      const size_t cols = std::min(kTileCols, n - col);
      const size_t at = row * c_stride + col;
      if (rows == kTileRows && cols == kTileCols) {
        multiply(tiles, col, start == nullptr ? nullptr : start + at, c + at, c_stride);
        continue;
      }
      if (start != nullptr) {
        std::memset(edge, 0, sizeof(edge));
        for (size_t r = 0; r < rows; ++r)
          std::memcpy(edge + r * kTileCols, start + at + r * c_stride, cols * sizeof(float));
      }
      multiply(tiles, col, start == nullptr ? nullptr : edge, edge, kTileCols);
      for (size_t r = 0; r < rows; ++r) std::memcpy(c + at + r * c_stride, edge + r * kTileCols, cols * sizeof(float));
    }
  }
}

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET
#endif  // include guard
