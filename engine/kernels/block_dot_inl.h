// Integer dot products of a block of 32 columns for 16 rows, compiled once per target. A Source gives the block's
// codes:
//   static constexpr int kBits (4, 5, 6: unsigned codes below 2^kBits; 8: int8), kOffset (what codes are too large by);
//   GroupAt(step): the order in which groups are best read;
//   Codes<J>(h): columns 4J..4J+3 of the rows of vector h, a vector of bytes;
//   for 6 bits, whose half blocks have integer scales of their own: SubScale(half, h), those as floats, and
//   ScalePair(half, h), those as int16 twice in each 32-bit lane.
#if defined(ENIGMA_KERNELS_BLOCK_DOT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ENIGMA_KERNELS_BLOCK_DOT_INL_H
#undef ENIGMA_KERNELS_BLOCK_DOT_INL_H
#else
#define ENIGMA_KERNELS_BLOCK_DOT_INL_H
#endif

#include <cstring>
#include <utility>

#include "engine/kernels/matmul.h"
#include "engine/kernels/simd_inl.h"

// In place of HWY_BEFORE_NAMESPACE: Highway's name for VNNI covers the AVX encoding of it; these kernels use the
// AVX-512 one, which older processors have.
#undef ENIGMA_DOT_BEFORE_NAMESPACE
#if HWY_TARGET == HWY_AVX3_DL
#define ENIGMA_DOT_BEFORE_NAMESPACE()               \
  HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni") \
  static_assert(true, "For requiring trailing semicolon")
#else
#define ENIGMA_DOT_BEFORE_NAMESPACE() HWY_BEFORE_NAMESPACE()
#endif

#if ENIGMA_KERNEL_TARGET
ENIGMA_DOT_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

using DI = hn::RebindToSigned<DF>;
using VI = hn::Vec<DI>;
using DB = hn::Repartition<uint8_t, DF>;
using VB = hn::Vec<DB>;

HWY_INLINE VI Broadcast4(const int8_t* q) {
  int32_t v;
  std::memcpy(&v, q, sizeof(v));
  return hn::Set(DI(), v);
}

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3

// vpmaddubsw: pairs of products u8 * s8 summed to int16, saturating; no sum here comes near saturation.
HWY_INLINE VI PairProducts(VI w, VI a) {
#if HWY_TARGET == HWY_AVX2
  return VI{_mm256_maddubs_epi16(w.raw, a.raw)};
#else
  return VI{_mm512_maddubs_epi16(w.raw, a.raw)};
#endif
}

HWY_INLINE VI Add16(VI a, VI b) {
#if HWY_TARGET == HWY_AVX2
  return VI{_mm256_add_epi16(a.raw, b.raw)};
#else
  return VI{_mm512_add_epi16(a.raw, b.raw)};
#endif
}

// vpmaddwd: int16 products summed in pairs to int32.
HWY_INLINE VI Widen16(VI a, VI b) {
#if HWY_TARGET == HWY_AVX2
  return VI{_mm256_madd_epi16(a.raw, b.raw)};
#else
  return VI{_mm512_madd_epi16(a.raw, b.raw)};
#endif
}

HWY_INLINE VI Magnitude8(VI w) {
#if HWY_TARGET == HWY_AVX2
  return VI{_mm256_abs_epi8(w.raw)};
#else
  return VI{_mm512_abs_epi8(w.raw)};
#endif
}

// a with the sign of w; what stands where w is 0 is multiplied by 0.
HWY_INLINE VI ApplySign8(VI a, VI w) {
#if HWY_TARGET == HWY_AVX2
  return VI{_mm256_sign_epi8(a.raw, w.raw)};
#else
  return VI{_mm512_mask_sub_epi8(a.raw, _mm512_movepi8_mask(w.raw), _mm512_setzero_si512(), a.raw)};
#endif
}

// Keeps the compiler from putting the sum off until its end: it would hold every product until then, in memory.
HWY_INLINE void SettleNow(VI& v) {
#if HWY_COMPILER_GCC_ACTUAL
  asm("" : "+v"(v.raw));
#else
  (void)v;
#endif
}

HWY_INLINE VI Ones16() { return hn::Set(DI(), 0x00010001); }

// Codes below 16 allow eight pair products in an int16 (8 * 2 * 15 * 127 = 30480), below 32 four, below 64 two; 8-bit
// magnitudes one (2 * 128 * 127 = 32512).
template <int kBits>
inline constexpr int kGroupsIn16 = kBits == 4   ? 8
                                   : kBits == 5 ? 4
                                   : kBits == 6 ? 2
                                                : 1;

// `pairs` is what int16 lanes gather between two widenings. Six-bit codes have two of these under way, one per half
// block.
template <int kStep, int H, int T, class Source>
HWY_INLINE void AddGroup(const Source& source, const ActivationChunk* HWY_RESTRICT a, size_t block, int first,
                         VI (&pairs)[2][H][T], VI (&sums)[H][T]) {
  constexpr int J = Source::GroupAt(kStep);
  constexpr int kIn16 = kGroupsIn16<Source::kBits>;
  constexpr bool kSix = Source::kBits == 6;
  constexpr int kSlot = kSix ? J / 4 : 0;
  constexpr int kPlace = kSix ? J : kStep;  // within the groups that share a widening
  VI q[T];
  for (int t = 0; t < T; ++t) q[t] = Broadcast4(a[t].q + block * 32 + J * 4);
  for (int h = 0; h < H; ++h) {
    VI w = hn::BitCast(DI(), source.template Codes<J>(first + h));
    const VI signs = w;
    if constexpr (Source::kBits == 8) w = Magnitude8(w);
    for (int t = 0; t < T; ++t) {
      VI& pair = pairs[kSlot][h][t];
      const VI p = PairProducts(w, Source::kBits == 8 ? ApplySign8(q[t], signs) : q[t]);
      pair = kPlace % kIn16 == 0 ? p : Add16(pair, p);
      SettleNow(pair);
      if constexpr ((kPlace + 1) % kIn16 == 0) {
        VI factor = Ones16();
        if constexpr (kSix) factor = source.ScalePair(J / 4, first + h);
        const VI s = Widen16(pair, factor);
        sums[h][t] = kPlace < kIn16 ? s : hn::Add(sums[h][t], s);
        SettleNow(sums[h][t]);
      }
    }
  }
}

template <int H, int T, class Source, int... kStep>
HWY_INLINE void AddGroups(const Source& source, const ActivationChunk* HWY_RESTRICT a, size_t block, int first,
                          VI (&sums)[H][T], std::integer_sequence<int, kStep...>) {
  VI pairs[2][H][T];
  (AddGroup<kStep, H, T>(source, a, block, first, pairs, sums), ...);
}

// The block's integer sums for rows of vectors [first, first + H), offsets subtracted, as floats; each is below 2^24 in
// magnitude and so exact.
template <int H, int T, class Source>
HWY_INLINE void BlockDot(const Source& source, const ActivationChunk* HWY_RESTRICT a, size_t block, int first,
                         VF (&out)[H][T]) {
  const DI di;
  VI sums[H][T];
  AddGroups<H, T>(source, a, block, first, sums, std::make_integer_sequence<int, 8>());
  for (int t = 0; t < T; ++t) {
    for (int h = 0; h < H; ++h) {
      VI sum = sums[h][t];
      if constexpr (Source::kBits == 6) {
        int32_t half_sums;
        std::memcpy(&half_sums, a[t].half_sum + 2 * block, sizeof(half_sums));
        sum = hn::Sub(sum, hn::ShiftLeft<5>(Widen16(source.BothScales(first + h), hn::Set(di, half_sums))));
      } else if constexpr (Source::kOffset != 0) {
        sum = hn::Sub(sum, hn::ShiftLeft < Source::kOffset == 8 ? 3 : 4 > (hn::Set(di, a[t].sum[block])));
      }
      out[h][t] = hn::ConvertTo(DF(), sum);
    }
  }
}

#else  // VNNI, NEON: products go straight to int32

#if HWY_TARGET == HWY_AVX3_DL
// Lane sums of four products u8 * s8.
HWY_INLINE VI Dot4(VI sum, VI w, VI a) { return VI{_mm512_dpbusd_epi32(sum.raw, w.raw, a.raw)}; }
// Signed codes become unsigned with an offset of 128.
template <int kBits>
inline constexpr int kExtraOffset = kBits == 8 ? 128 : 0;
template <int kBits>
HWY_INLINE VI Operand(VI w) {
  return kBits == 8 ? hn::Xor(w, hn::Set(DI(), static_cast<int32_t>(0x80808080U))) : w;
}
#else
// NEON without dot instructions: products of s8 widened to int16, added in pairs, then pairs of pairs.
HWY_INLINE VI Dot4(VI sum, VI w, VI a) {
  const int8x16_t w8 = vreinterpretq_s8_s32(w.raw);
  const int8x16_t a8 = vreinterpretq_s8_s32(a.raw);
  const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(w8), vget_low_s8(a8)));
  const int32x4_t high = vpaddlq_s16(vmull_s8(vget_high_s8(w8), vget_high_s8(a8)));
  return VI{vaddq_s32(sum.raw, vpaddq_s32(low, high))};
}
template <int kBits>
inline constexpr int kExtraOffset = 0;
template <int kBits>
HWY_INLINE VI Operand(VI w) {
  return w;
}
#endif

template <int J, int H, int T, class Source>
HWY_INLINE void AddGroup(const Source& source, const ActivationChunk* HWY_RESTRICT a, size_t block, int first,
                         VI (&sums)[H][T]) {
  VI q[T];
  for (int t = 0; t < T; ++t) q[t] = Broadcast4(a[t].q + block * 32 + J * 4);
  for (int h = 0; h < H; ++h) {
    const VI w = Operand<Source::kBits>(hn::BitCast(DI(), source.template Codes<J>(first + h)));
    for (int t = 0; t < T; ++t) sums[h][t] = Dot4(sums[h][t], w, q[t]);
  }
}

// Groups kFrom + kStep, in order.
template <int kFrom, int H, int T, class Source, int... kStep>
HWY_INLINE void AddGroups(const Source& source, const ActivationChunk* HWY_RESTRICT a, size_t block, int first,
                          VI (&sums)[H][T], std::integer_sequence<int, kStep...>) {
  (AddGroup<kFrom + kStep, H, T>(source, a, block, first, sums), ...);
}

// The block's integer sums for rows of vectors [first, first + H), offsets subtracted, as floats; each is below 2^24 in
// magnitude and so exact.
template <int H, int T, class Source>
HWY_INLINE void BlockDot(const Source& source, const ActivationChunk* HWY_RESTRICT a, size_t block, int first,
                         VF (&out)[H][T]) {
  const DF d;
  const DI di;
  VI sums[H][T];
  if constexpr (Source::kBits == 6) {
    VI upper[H][T];
    for (int t = 0; t < T; ++t) {
      for (int h = 0; h < H; ++h) {
        sums[h][t] = hn::Set(di, -32 * a[t].half_sum[2 * block]);
        upper[h][t] = hn::Set(di, -32 * a[t].half_sum[2 * block + 1]);
      }
    }
    AddGroups<0, H, T>(source, a, block, first, sums, std::make_integer_sequence<int, 4>());
    AddGroups<4, H, T>(source, a, block, first, upper, std::make_integer_sequence<int, 4>());
    for (int h = 0; h < H; ++h) {
      for (int t = 0; t < T; ++t) {
        // Each product is below 2^23: exact.
        const VF lower = hn::Mul(hn::ConvertTo(d, sums[h][t]), source.SubScale(0, first + h));
        out[h][t] = hn::MulAdd(hn::ConvertTo(d, upper[h][t]), source.SubScale(1, first + h), lower);
      }
    }
  } else {
    for (int t = 0; t < T; ++t) {
      const VI start = hn::Set(di, -(Source::kOffset + kExtraOffset<Source::kBits>)*a[t].sum[block]);
      for (int h = 0; h < H; ++h) sums[h][t] = start;
    }
    AddGroups<0, H, T>(source, a, block, first, sums, std::make_integer_sequence<int, 8>());
    for (int h = 0; h < H; ++h) {
      for (int t = 0; t < T; ++t) out[h][t] = hn::ConvertTo(d, sums[h][t]);
    }
  }
}

#endif

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET
#endif  // include guard
