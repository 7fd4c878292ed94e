#include "engine/kernels/gemm_bf16_avx512.h"

#include <algorithm>
#include <bit>
#include <iterator>

#include <hwy/base.h>

#include "engine/kernels/gemm_cpu.h"

#if HWY_ARCH_X86
#include <immintrin.h>

HWY_PUSH_ATTRIBUTES("avx,avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")
namespace enigma::engine {
namespace {

constexpr size_t kLanes = 16;
static_assert(GemmPanels::kCols == 2 * kLanes);

HWY_INLINE __m512bh Pairs(__m512i words) { return (__m512bh)words; }

template <bool kAcross>
void MultiplyTile(const uint32_t* HWY_RESTRICT tile, const uint32_t* HWY_RESTRICT stretch, size_t words,
                  const float* start, float* c, size_t c_stride) {
  __m512 sums[kGemmAvx512Rows][2];
  for (size_t r = 0; r < kGemmAvx512Rows; ++r) {
    for (size_t v = 0; v < 2; ++v) {
      sums[r][v] = start == nullptr ? _mm512_setzero_ps() : _mm512_loadu_ps(start + r * c_stride + v * kLanes);
    }
  }
  for (size_t i = 0; i < words; ++i) {
    const __m512bh b0 = Pairs(_mm512_load_si512(stretch + i * GemmPanels::kCols));
    const __m512bh b1 = Pairs(_mm512_load_si512(stretch + i * GemmPanels::kCols + kLanes));
    for (size_t r = 0; r < kGemmAvx512Rows; ++r) {
      const uint32_t word = tile[kAcross ? i * kGemmAvx512Rows + r : r * kGemmPitch + i];
      const __m512bh a = Pairs(_mm512_set1_epi32(static_cast<int>(word)));
      sums[r][0] = _mm512_dpbf16_ps(sums[r][0], a, b0);
      sums[r][1] = _mm512_dpbf16_ps(sums[r][1], a, b1);
    }
  }
  for (size_t r = 0; r < kGemmAvx512Rows; ++r) {
    for (size_t v = 0; v < 2; ++v) _mm512_storeu_ps(c + r * c_stride + v * kLanes, sums[r][v]);
  }
}

// Cases in which instructions could differ: order, roundings between the two, subnormals on either side of the border.
struct Link {
  uint32_t a, b, sum, expected;
};
constexpr Link kLinks[] = {
    // In the wrong order, or rounded once for both: 1.
    {0x4580C580, 0x45804580, 0x3F800000, 0x00000000},
    // A subnormal sum comes in.
    {0x00000000, 0x00000000, 0x00000001, 0x00000000},
    {0x80008000, 0x3F803F80, 0x807FFFFF, 0x80000000},
    // One comes out; one lies between the two.
    {0xA0000000, 0x20000000, 0x00800001, 0x00000000},
    {0xA0002000, 0x20002000, 0x00800001, 0x00800000},
    // Rounded to the smallest normal number: only where exponents end there, and without that, too.
    {0x9A400000, 0x19800000, 0x00800000, 0x00000000},
    {0x99800000, 0x19800000, 0x00800000, 0x00800000},
};

bool KeepsTheContract() {
  alignas(64) uint32_t a[kLanes] = {};
  alignas(64) uint32_t b[kLanes] = {};
  alignas(64) uint32_t sums[kLanes] = {};
  static_assert(std::size(kLinks) <= kLanes);
  for (size_t i = 0; i < std::size(kLinks); ++i) {
    a[i] = kLinks[i].a;
    b[i] = kLinks[i].b;
    sums[i] = kLinks[i].sum;
  }
  const __m512 sum = _mm512_dpbf16_ps(_mm512_castsi512_ps(_mm512_load_si512(sums)), Pairs(_mm512_load_si512(a)),
                                      Pairs(_mm512_load_si512(b)));
  _mm512_store_si512(sums, _mm512_castps_si512(sum));
  return std::equal(std::begin(kLinks), std::end(kLinks), sums,
                    [](const Link& link, uint32_t found) { return link.expected == found; });
}

}  // namespace
}  // namespace enigma::engine
HWY_POP_ATTRIBUTES
#endif  // HWY_ARCH_X86

namespace enigma::engine {

const Bf16Avx512Tiles* FindBf16Avx512Tiles() {
#if HWY_ARCH_X86
  static constexpr Bf16Avx512Tiles kTiles = {MultiplyTile<false>, MultiplyTile<true>};
  static const bool usable = __builtin_cpu_supports("avx512bf16") != 0 && KeepsTheContract();
  return usable ? &kTiles : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace enigma::engine
