#include "engine/kernels/swiglu_backward_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/swiglu_backward_cpu.cc"
#include <cstring>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

HWY_INLINE void Lanes(const float* d_out, const float* gate, const float* up, float* d_gate, float* d_up, float* out) {
  const DF d;
  const VF one = hn::Set(d, 1.0F);
  const VF dy = hn::LoadU(d, d_out);
  const VF g = hn::LoadU(d, gate);
  const VF u = hn::LoadU(d, up);
  const VF denominator = hn::Add(one, Exp(hn::Neg(g)));
  const VF s = hn::Div(one, denominator);
  const VF slope = hn::Mul(s, hn::MulAdd(g, hn::Sub(one, s), one));
  hn::StoreU(hn::Mul(hn::Mul(dy, u), slope), d, d_gate);
  hn::StoreU(hn::Mul(dy, hn::Mul(g, s)), d, d_up);
  if (out != nullptr) hn::StoreU(hn::Mul(hn::Div(g, denominator), u), d, out);  // as SwiGlu computes it
}

void SwiGluBackwardRow(const float* d_out, const float* gate, const float* up, size_t width, float* d_gate, float* d_up,
                       float* out) {
  size_t i = 0;
  for (; i + kFloatLanes <= width; i += kFloatLanes) {
    Lanes(d_out + i, gate + i, up + i, d_gate + i, d_up + i, out == nullptr ? nullptr : out + i);
  }
  if (i == width) return;
  const size_t bytes = (width - i) * sizeof(float);
  HWY_ALIGN float in[3][kFloatLanes] = {};
  HWY_ALIGN float results[3][kFloatLanes];
  std::memcpy(in[0], d_out + i, bytes);
  std::memcpy(in[1], gate + i, bytes);
  std::memcpy(in[2], up + i, bytes);
  Lanes(in[0], in[1], in[2], results[0], results[1], results[2]);
  std::memcpy(d_gate + i, results[0], bytes);
  std::memcpy(d_up + i, results[1], bytes);
  if (out != nullptr) std::memcpy(out + i, results[2], bytes);
}

inline constexpr SwiGluBackwardKernels kSwiGluBackwardKernels = {SwiGluBackwardRow};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(SwiGluBackwardKernels, CpuSwiGluBackwardKernels, kSwiGluBackwardKernels)
}  // namespace enigma::engine
#endif
