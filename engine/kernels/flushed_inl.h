// Fused multiply-adds that know no subnormals, compiled once per target. Included after hwy/foreach_target.h and
// hwy/highway.h.
#if defined(ENIGMA_KERNELS_FLUSHED_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ENIGMA_KERNELS_FLUSHED_INL_H
#undef ENIGMA_KERNELS_FLUSHED_INL_H
#else
#define ENIGMA_KERNELS_FLUSHED_INL_H
#endif

#include <hwy/highway.h>

#include "engine/kernels/cpu_target.h"
#include "engine/kernels/simd_inl.h"

// x86 has a mode for it. NEON's flushes what was subnormal before it was rounded, which is not the same, so there it is
// computed; and in builds with sanitizers, so that what NEON does is tested where tests run most.
#if HWY_ARCH_X86 && !defined(ENIGMA_SANITIZED)
#define ENIGMA_FLUSHED_BY_MODE 1
#include <xmmintrin.h>
#else
#define ENIGMA_FLUSHED_BY_MODE 0
#endif

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

#if ENIGMA_FLUSHED_BY_MODE
// While it lives, this thread's arithmetic takes and gives zeros for subnormals.
class SubnormalsAreZero {
 public:
  SubnormalsAreZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero); }
  ~SubnormalsAreZero() { _mm_setcsr(before_); }
  SubnormalsAreZero(const SubnormalsAreZero&) = delete;
  SubnormalsAreZero& operator=(const SubnormalsAreZero&) = delete;

 private:
  static constexpr unsigned kFlushToZero = 0x8000;
  static constexpr unsigned kDenormalsAreZero = 0x40;
  const unsigned before_;
};

HWY_INLINE VF Flushed(VF x) { return x; }
HWY_INLINE VF FlushedMulAdd(VF a, VF b, VF sum) { return hn::MulAdd(a, b, sum); }
#else
struct SubnormalsAreZero {
  SubnormalsAreZero() {}
};

inline constexpr float kSmallestNormal = 0x1p-126F;

// Zeros of their sign for subnormals.
HWY_INLINE VF Flushed(VF x) {
  const DF d;
  const VF sign = hn::And(x, hn::Set(d, -0.0F));
  return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, kSmallestNormal)), sign, x);
}

// No argument is subnormal. A result counts as one if it were with an exponent without bounds: of those that become the
// smallest normal number some would not have become as much.
HWY_INLINE VF FlushedMulAdd(VF a, VF b, VF sum) {
  const DF d;
  const VF result = hn::MulAdd(a, b, sum);
  const auto smallest = hn::Eq(hn::Abs(result), hn::Set(d, kSmallestNormal));
  if (HWY_LIKELY(hn::AllFalse(d, smallest))) return Flushed(result);
  // What adds up to so little is itself small, so nothing that counts overflows.
  const VF scale = hn::Set(d, 0x1p32F);
  const VF scaled = hn::MulAdd(hn::Mul(a, scale), b, hn::Mul(sum, scale));
  const auto less = hn::And(smallest, hn::Lt(hn::Abs(scaled), hn::Set(d, kSmallestNormal * 0x1p32F)));
  return hn::IfThenElse(less, hn::And(result, hn::Set(d, -0.0F)), Flushed(result));
}
#endif

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET
#endif  // include guard
