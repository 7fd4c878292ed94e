#include "engine/kernels/swiglu_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/swiglu_cpu.cc"
#include <cstring>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

// gate / (1 + e^-gate) * up
HWY_INLINE VF SiluTimes(VF gate, VF up) {
  const DF d;
  return hn::Mul(hn::Div(gate, hn::Add(hn::Set(d, 1.0F), Exp(hn::Neg(gate)))), up);
}

void SwiGluRow(const float* gate, const float* up, size_t width, float* out) {
  const DF d;
  size_t i = 0;
  for (; i + kFloatLanes <= width; i += kFloatLanes) {
    hn::StoreU(SiluTimes(hn::LoadU(d, gate + i), hn::LoadU(d, up + i)), d, out + i);
  }
  if (i < width) {
    HWY_ALIGN float g[kFloatLanes] = {};
    HWY_ALIGN float u[kFloatLanes] = {};
    std::memcpy(g, gate + i, (width - i) * sizeof(float));
    std::memcpy(u, up + i, (width - i) * sizeof(float));
    hn::Store(SiluTimes(hn::Load(d, g), hn::Load(d, u)), d, g);
    std::memcpy(out + i, g, (width - i) * sizeof(float));
  }
}

void AddRow(float* x, const float* y, size_t width) {
  const DF d;
  size_t i = 0;
  for (; i + kFloatLanes <= width; i += kFloatLanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, x + i);
  }
  for (; i < width; ++i) x[i] += y[i];
}

inline constexpr SwiGluKernels kSwiGluKernels = {SwiGluRow, AddRow};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(SwiGluKernels, CpuSwiGluKernels, kSwiGluKernels)
}  // namespace enigma::engine
#endif
