#include "engine/kernels/adamw_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/adamw_cpu.cc"
#include <cstring>
#include <limits>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

// A moment of a parameter that has no gradient any more decays to a subnormal number, stays there for good, and makes
// some processors a hundred times slower; so it ends at 0. NaN stays.
HWY_INLINE VF NormalOrZero(VF v) {
  const DF d;
  return hn::IfThenZeroElse(hn::Lt(hn::Abs(v), hn::Set(d, std::numeric_limits<float>::min())), v);
}

HWY_INLINE void AdamWLanes(const AdamWFactors& f, const float* gradient, float* parameters, float* first_moment,
                           float* second_moment) {
  const DF d;
  const VF g = hn::Mul(hn::LoadU(d, gradient), hn::Set(d, f.gradient_scale));
  const VF fresh1 = hn::Mul(hn::Set(d, f.fresh1), g);
  const VF fresh2 = hn::Mul(hn::Mul(hn::Set(d, f.fresh2), g), g);
  const VF m = NormalOrZero(hn::MulAdd(hn::Set(d, f.beta1), hn::LoadU(d, first_moment), fresh1));
  const VF v = NormalOrZero(hn::MulAdd(hn::Set(d, f.beta2), hn::LoadU(d, second_moment), fresh2));
  const VF root = hn::MulAdd(hn::Sqrt(v), hn::Set(d, f.inverse_root2), hn::Set(d, f.epsilon));
  const VF p = hn::Mul(hn::LoadU(d, parameters), hn::Set(d, f.kept));
  hn::StoreU(m, d, first_moment);
  hn::StoreU(v, d, second_moment);
  hn::StoreU(hn::NegMulAdd(hn::Set(d, f.step_size), hn::Div(m, root), p), d, parameters);
}

void AdamWSpan(const AdamWFactors& factors, const float* gradient, size_t count, float* parameters, float* first_moment,
               float* second_moment) {
  const AdamWFactors f = factors;  // a copy that no store can change, for the registers
  size_t i = 0;
  for (; i + kFloatLanes <= count; i += kFloatLanes) {
    AdamWLanes(f, gradient + i, parameters + i, first_moment + i, second_moment + i);
  }
  if (i == count) return;
  const size_t bytes = (count - i) * sizeof(float);
  HWY_ALIGN float rest[4][kFloatLanes] = {};
  std::memcpy(rest[0], gradient + i, bytes);
  std::memcpy(rest[1], parameters + i, bytes);
  std::memcpy(rest[2], first_moment + i, bytes);
  std::memcpy(rest[3], second_moment + i, bytes);
  AdamWLanes(f, rest[0], rest[1], rest[2], rest[3]);
  std::memcpy(parameters + i, rest[1], bytes);
  std::memcpy(first_moment + i, rest[2], bytes);
  std::memcpy(second_moment + i, rest[3], bytes);
}

inline constexpr AdamWKernels kAdamWKernels = {AdamWSpan};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(AdamWKernels, CpuAdamWKernels, kAdamWKernels)
}  // namespace enigma::engine
#endif
