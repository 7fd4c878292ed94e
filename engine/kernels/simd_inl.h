// Arithmetic shared by the kernels, compiled once per target. Included after hwy/foreach_target.h and hwy/highway.h.
#if defined(ENIGMA_KERNELS_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ENIGMA_KERNELS_SIMD_INL_H
#undef ENIGMA_KERNELS_SIMD_INL_H
#else
#define ENIGMA_KERNELS_SIMD_INL_H
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

#include "engine/kernels/cpu_target.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;
inline constexpr size_t kFloatLanes = HWY_LANES(float);
// Vectors that hold sixteen floats: one with AVX-512, two with AVX2, four with NEON.
inline constexpr int kHalves = static_cast<int>(16 / kFloatLanes);

// e^x within 1.1 units in the last place for x in [-87.33, 88.37]; 0 below, e^88.37 above. The contract's own: the same
// operations in the same order on each lane of each target.
HWY_INLINE VF Exp(VF x) {
  const DF d;
  const hn::RebindToSigned<DF> di;
  const VF lowest = hn::Set(d, -87.33F);
  const auto vanishes = hn::Lt(x, lowest);
  const VF v = hn::Min(hn::Max(x, lowest), hn::Set(d, 88.37F));
  const VF n = hn::Round(hn::Mul(v, hn::Set(d, 0x1.715476p+0F)));
  VF r = hn::NegMulAdd(n, hn::Set(d, 0x1.63p-1F), v);
  r = hn::NegMulAdd(n, hn::Set(d, -0x1.bd0106p-13F), r);
  // e^r = 1 + r + r^2 q(r); q interpolates at Chebyshev nodes of |r| <= 0.347, relative error of e^r below 1.1e-8.
  VF q = hn::Set(d, 0x1.6d119ap-10F);
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.120cp-7F));
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.555518p-5F));
  q = hn::MulAdd(q, r, hn::Set(d, 0x1.5554dcp-3F));
  q = hn::MulAdd(q, r, hn::Set(d, 0.5F));
  const VF e = hn::Add(hn::MulAdd(q, hn::Mul(r, r), r), hn::Set(d, 1.0F));
  const auto bits = hn::Add(hn::BitCast(di, e), hn::ShiftLeft<23>(hn::ConvertTo(di, n)));
  return hn::IfThenZeroElse(vanishes, hn::BitCast(d, bits));
}

// (x0 + x8) + (x4 + x12) and so on: halves added to each other until one is left.
HWY_INLINE float SumOf16(const float* HWY_RESTRICT x) {
  const hn::FixedTag<float, 4> d;
  const auto a = hn::Add(hn::LoadU(d, x), hn::LoadU(d, x + 8));
  const auto b = hn::Add(hn::LoadU(d, x + 4), hn::LoadU(d, x + 12));
  HWY_ALIGN float s[4];
  hn::Store(hn::Add(a, b), d, s);
  return (s[0] + s[2]) + (s[1] + s[3]);
}

// Sixteen interleaved partial sums over up to three rows, added by SumOf16; what element i gives goes to sum i mod 16.
// `term` takes vectors of the rows and a sum to what the sum becomes. Zeros that pad the last group must leave sums
// unchanged.
template <int kRows, class Term>
HWY_INLINE float SumInSixteenParts(const float* const (&rows)[kRows], size_t width, const Term& term) {
  const DF d;
  VF sums[kHalves];
  for (VF& sum : sums) sum = hn::Zero(d);
  const auto add = [&](const float* const(&at)[kRows], size_t i) {
    for (int h = 0; h < kHalves; ++h) {
      VF lanes[kRows];
      for (int r = 0; r < kRows; ++r) lanes[r] = hn::LoadU(d, at[r] + i + h * kFloatLanes);
      sums[h] = term(lanes, sums[h]);
    }
  };
  size_t i = 0;
  for (; i + 16 <= width; i += 16) add(rows, i);
  if (i < width) {
    HWY_ALIGN float rest[kRows][16] = {};
    const float* at[kRows];
    for (int r = 0; r < kRows; ++r) {
      std::memcpy(rest[r], rows[r] + i, (width - i) * sizeof(float));
      at[r] = rest[r];
    }
    add(at, 0);
  }
  HWY_ALIGN float buffer[16];
  for (int h = 0; h < kHalves; ++h) hn::Store(sums[h], d, buffer + h * kFloatLanes);
  return SumOf16(buffer);
}

HWY_INLINE float SumOfSquares(const float* x, size_t width) {
  const float* const rows[1] = {x};
  return SumInSixteenParts<1>(rows, width, [](const VF(&v)[1], VF sum) { return hn::MulAdd(v[0], v[0], sum); });
}

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET
#endif  // include guard
