#include "engine/kernels/cpu_target.h"
#include "engine/kernels/gemm_bf16_avx512.h"
#include "engine/kernels/gemm_cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/gemm_bf16_cpu.cc"
#include <algorithm>
#include <cstring>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/flushed_inl.h"
#include "engine/kernels/gemm_tiles_inl.h"
#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

static_assert(kGemmStretch % kFloatLanes == 0);

using DU = hn::RebindToUnsigned<DF>;
using VU = hn::Vec<DU>;

// x rounded to bf16, in the upper halves; the lower ones are 0.
HWY_INLINE VU Rounded(VF x) {
  const DU d;
  const VU bits = hn::BitCast(d, x);
  const VU odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1));
  VU rounded = hn::Add(hn::Add(bits, hn::Set(d, 0x7FFF)), odd);
  const VU magnitude = hn::And(bits, hn::Set(d, 0x7FFFFFFF));
  // A sum of bits must not turn what is no number into one.
  const VU infinite = hn::Set(d, 0x7F800000);
  rounded = hn::IfThenElse(hn::Gt(magnitude, infinite), hn::Or(bits, hn::Set(d, 0x00400000)), rounded);
  rounded = hn::IfThenElse(hn::Lt(magnitude, hn::Set(d, 0x00800000)), hn::Xor(bits, magnitude), rounded);
  return hn::And(rounded, hn::Set(d, 0xFFFF0000));
}

HWY_INLINE VU Pairs(VF first, VF second) { return hn::Or(hn::ShiftRight<16>(Rounded(first)), Rounded(second)); }

// Pairs of neighbours: words [0, (count + 1) / 2), and as many more as fill the last vector.
void PairNeighbours(const float* in, size_t count, uint32_t* out) {
  const DF d;
  const DU du;
  constexpr size_t kStep = 2 * kFloatLanes;
  const auto pair = [&](const float* x, uint32_t* words) {
    const VF low = hn::LoadU(d, x);
    const VF high = hn::LoadU(d, x + kFloatLanes);
    hn::StoreU(Pairs(hn::ConcatEven(d, high, low), hn::ConcatOdd(d, high, low)), du, words);
  };
  size_t i = 0;
  for (; i + kStep <= count; i += kStep) pair(in + i, out + i / 2);
  if (i == count) return;
  HWY_ALIGN float rest[kStep] = {};
  std::memcpy(rest, in + i, (count - i) * sizeof(float));
  pair(rest, out + i / 2);
}

// Pairs of two rows, element by element; `second` is null for zeros.
HWY_INLINE void PairRows(const float* first, const float* second, size_t count, uint32_t* out) {
  const DF d;
  const DU du;
  size_t i = 0;
  for (; i + kFloatLanes <= count; i += kFloatLanes) {
    const VF high = second == nullptr ? hn::Zero(d) : hn::LoadU(d, second + i);
    hn::StoreU(Pairs(hn::LoadU(d, first + i), high), du, out + i);
  }
  if (i == count) return;
  HWY_ALIGN float rest[2][kFloatLanes] = {};
  HWY_ALIGN uint32_t words[kFloatLanes];
  std::memcpy(rest[0], first + i, (count - i) * sizeof(float));
  if (second != nullptr) std::memcpy(rest[1], second + i, (count - i) * sizeof(float));
  hn::Store(Pairs(hn::Load(d, rest[0]), hn::Load(d, rest[1])), du, words);
  std::memcpy(out + i, words, (count - i) * sizeof(uint32_t));
}

// Elements [0, count) of a row that lie `stride` apart, where they are or gathered into `room`.
HWY_INLINE const float* Contiguous(const float* in, size_t stride, size_t count, float* room) {
  if (stride == 1) return in;
  for (size_t i = 0; i < count; ++i) room[i] = in[i * stride];
  return room;
}

// Pairs of columns of a. All tiles take their part of two columns before the next two are read, from their beginning to
// their end.
void PackColumns(const MatrixView& a, size_t m, size_t k, uint32_t* tiles) {
  // Whole vectors where there are rows enough: what is too much of a pair has its place taken by the next one.
  constexpr size_t kWhole = (kTileRows + kFloatLanes - 1) / kFloatLanes * kFloatLanes;
  static_assert((kGemmPitch - kGemmStretch) * kTileRows >= kWhole);
  if (m % kTileRows != 0) std::fill_n(tiles + m / kTileRows * kTileWords, (k + 1) / 2 * kTileRows, 0U);
  for (size_t i = 0; i < k; i += 2) {
    const float* first = a.data + i * a.col_stride;
    const float* second = i + 1 < k ? first + a.col_stride : nullptr;
    uint32_t* out = tiles + i / 2 * kTileRows;
    for (size_t row = 0; row < m; row += kTileRows, out += kTileWords) {
      const size_t rows = row + kWhole <= m ? kWhole : std::min(kTileRows, m - row);
      PairRows(first + row, second == nullptr ? nullptr : second + row, rows, out);
    }
  }
}

void PackBf16Rows(const MatrixView& a, size_t m, size_t k, uint32_t* tiles) {
  if (a.row_stride == 1) return PackColumns(a, m, k, tiles);
  HWY_ALIGN float room[2 * kGemmStretch];
  for (size_t row = 0; row < m; row += kTileRows, tiles += kTileWords) {
    const size_t rows = std::min(kTileRows, m - row);
    for (size_t r = 0; r < rows; ++r) {
      const float* in = a.data + (row + r) * a.row_stride;
      PairNeighbours(Contiguous(in, a.col_stride, k, room), k, tiles + r * kGemmPitch);
    }
    for (size_t r = rows; r < kTileRows; ++r) std::fill_n(tiles + r * kGemmPitch, (k + 1) / 2, 0U);
  }
}

// [words][kCols] from the columns of B, a few words at a time so that the lines written to stay in the first-level
// cache.
void PackBf16Columns(const MatrixView& b, size_t k, size_t cols, uint32_t* panel) {
  constexpr size_t kBlock = 32;  // of k
  HWY_ALIGN float room[kBlock];
  HWY_ALIGN uint32_t words[kBlock / 2];
  for (size_t first = 0; first < k; first += kBlock) {
    const size_t count = std::min(kBlock, k - first);
    uint32_t* out = panel + first / 2 * GemmPanels::kCols;
    for (size_t j = 0; j < cols; ++j) {
      const float* in = b.data + first * b.row_stride + j * b.col_stride;
      PairNeighbours(Contiguous(in, b.row_stride, count, room), count, words);
      for (size_t i = 0; i < (count + 1) / 2; ++i) out[i * GemmPanels::kCols + j] = words[i];
    }
  }
}

void PackBf16Panel(const MatrixView& b, size_t k, size_t cols, uint32_t* panel) {
  constexpr size_t kCols = GemmPanels::kCols;
  if (cols < kCols) std::fill_n(panel, (k + 1) / 2 * kCols, 0U);
  if (b.col_stride != 1) return PackBf16Columns(b, k, cols, panel);
  for (size_t i = 0; i < k; i += 2) {
    const float* first = b.data + i * b.row_stride;
    PairRows(first, i + 1 < k ? first + b.row_stride : nullptr, cols, panel + i / 2 * kCols);
  }
}

// The factors of one half of a word, as f32.
template <bool kSecond>
HWY_INLINE VF Half(VU words) {
  const DU d;
  return hn::BitCast(DF(), kSecond ? hn::And(words, hn::Set(d, 0xFFFF0000)) : hn::ShiftLeft<16>(words));
}

template <bool kAcross, bool kSecond>
HWY_INLINE void AddHalves(const uint32_t* HWY_RESTRICT tile, const uint32_t* HWY_RESTRICT row, size_t i,
                          VF (&sums)[kTileRows][2]) {
  const DU d;
  const VF b0 = Half<kSecond>(hn::Load(d, row));
  const VF b1 = Half<kSecond>(hn::Load(d, row + kFloatLanes));
  for (size_t r = 0; r < kTileRows; ++r) {
    const VF a = Half<kSecond>(hn::Set(d, tile[kAcross ? i * kTileRows + r : r * kGemmPitch + i]));
    sums[r][0] = FlushedMulAdd(a, b0, sums[r][0]);
    sums[r][1] = FlushedMulAdd(a, b1, sums[r][1]);
  }
}

// One tile of c: kTileRows x kTileCols, all of them there.
template <bool kAcross>
HWY_INLINE void MultiplyTile(const uint32_t* HWY_RESTRICT tile, const uint32_t* HWY_RESTRICT stretch, size_t words,
                             const float* start, float* c, size_t c_stride) {
  const DF d;
  VF sums[kTileRows][2];
  for (size_t r = 0; r < kTileRows; ++r) {
    for (size_t v = 0; v < 2; ++v) {
      sums[r][v] = start == nullptr ? hn::Zero(d) : Flushed(hn::LoadU(d, start + r * c_stride + v * kFloatLanes));
    }
  }
  for (size_t i = 0; i < words; ++i) {
    const uint32_t* row = stretch + i * GemmPanels::kCols;
    AddHalves<kAcross, true>(tile, row, i, sums);
    asm volatile("" : : : "memory");  // words are read again: kept, they would take registers from sums
    AddHalves<kAcross, false>(tile, row, i, sums);
  }
  for (size_t r = 0; r < kTileRows; ++r) {
    for (size_t v = 0; v < 2; ++v) hn::StoreU(sums[r][v], d, c + r * c_stride + v * kFloatLanes);
  }
}

// Not inlined: none of its arithmetic may leave the life of SubnormalsAreZero.
template <bool kAcross>
HWY_NOINLINE void MultiplyTiles(const uint32_t* tiles, size_t m, const uint32_t* stretch, size_t n, size_t words,
                                const float* start, float* c, size_t c_stride) {
  ForEachTile(tiles, m, n, start, c, c_stride,
              [&](const uint32_t* tile, size_t col, const float* from, float* to, size_t stride)
                  HWY_ATTR { MultiplyTile<kAcross>(tile, stretch + col, words, from, to, stride); });
}

#if HWY_TARGET == HWY_AVX3_DL
// With the processor's own instruction, where it has one that keeps the contract.
bool MultiplyByInstruction(const uint32_t* tiles, bool across, size_t m, const uint32_t* stretch, size_t n,
                           size_t words, const float* start, float* c, size_t c_stride) {
  static const Bf16Avx512Tiles* const instruction = FindBf16Avx512Tiles();
  if (instruction == nullptr) return false;
  const auto multiply = across ? instruction->across : instruction->along;
  ForEachTile(tiles, m, n, start, c, c_stride,
              [&](const uint32_t* tile, size_t col, const float* from, float* to, size_t stride)
                  HWY_ATTR { multiply(tile, stretch + col, words, from, to, stride); });
  return true;
}
#endif

void MultiplyBf16Panel(const uint32_t* tiles, bool across, size_t m, const uint32_t* stretch, size_t n, size_t words,
                       const float* start, float* c, size_t c_stride) {
#if HWY_TARGET == HWY_AVX3_DL
  if (MultiplyByInstruction(tiles, across, m, stretch, n, words, start, c, c_stride)) return;
#endif
  const SubnormalsAreZero zero;
  if (across) {
    MultiplyTiles<true>(tiles, m, stretch, n, words, start, c, c_stride);
  } else {
    MultiplyTiles<false>(tiles, m, stretch, n, words, start, c, c_stride);
  }
}

inline constexpr Bf16GemmKernels kBf16GemmKernels = {kTileRows, PackBf16Rows, PackBf16Panel, MultiplyBf16Panel};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(Bf16GemmKernels, CpuBf16GemmKernels, kBf16GemmKernels)
}  // namespace enigma::engine
#endif
