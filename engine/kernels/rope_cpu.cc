#include "engine/kernels/rope_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/rope_cpu.cc"
#include <cmath>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

// (a, b) becomes (a c - b s, a s + b c); the products with b are rounded, those with a are fused. Back: s changes sign.
template <bool kBack>
HWY_INLINE void Rotate(VF c, VF s, VF& a, VF& b) {
  const VF x = a;
  if (kBack) s = hn::Neg(s);
  a = hn::MulSub(x, c, hn::Mul(b, s));
  b = hn::MulAdd(x, s, hn::Mul(b, c));
}

template <bool kBack>
HWY_INLINE void RotateOne(float c, float s, float& a, float& b) {
  const float x = a;
  if (kBack) s = -s;
  a = std::fma(x, c, -(b * s));
  b = std::fma(x, s, b * c);
}

template <bool kBack>
void RotateAdjacent(float* row, size_t heads, size_t head_dim, const float* cosines, const float* sines, size_t pairs) {
  const DF d;
  for (float* head = row; head != row + heads * head_dim; head += head_dim) {
    size_t i = 0;
    for (; i + kFloatLanes <= pairs; i += kFloatLanes) {
      VF a;
      VF b;
      hn::LoadInterleaved2(d, head + 2 * i, a, b);
      Rotate<kBack>(hn::LoadU(d, cosines + i), hn::LoadU(d, sines + i), a, b);
      hn::StoreInterleaved2(a, b, d, head + 2 * i);
    }
    for (; i < pairs; ++i) RotateOne<kBack>(cosines[i], sines[i], head[2 * i], head[2 * i + 1]);
  }
}

template <bool kBack>
void RotateHalves(float* row, size_t heads, size_t head_dim, const float* cosines, const float* sines, size_t pairs) {
  const DF d;
  for (float* head = row; head != row + heads * head_dim; head += head_dim) {
    size_t i = 0;
    for (; i + kFloatLanes <= pairs; i += kFloatLanes) {
      VF a = hn::LoadU(d, head + i);
      VF b = hn::LoadU(d, head + pairs + i);
      Rotate<kBack>(hn::LoadU(d, cosines + i), hn::LoadU(d, sines + i), a, b);
      hn::StoreU(a, d, head + i);
      hn::StoreU(b, d, head + pairs + i);
    }
    for (; i < pairs; ++i) RotateOne<kBack>(cosines[i], sines[i], head[i], head[pairs + i]);
  }
}

inline constexpr RopeKernels kRopeKernels = {RotateAdjacent<false>, RotateHalves<false>, RotateAdjacent<true>,
                                             RotateHalves<true>};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(RopeKernels, CpuRopeKernels, kRopeKernels)
}  // namespace enigma::engine
#endif
