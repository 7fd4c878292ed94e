#include "engine/kernels/rms_norm_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/rms_norm_cpu.cc"
#include <cmath>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

void RmsNormRows(const float* x, size_t x_stride, const float* weight, float epsilon, size_t tokens, size_t width,
                 float* out, size_t out_stride) {
  const DF d;
  for (size_t t = 0; t < tokens; ++t) {
    const float* row = x + t * x_stride;
    float* target = out + t * out_stride;
    const float mean = SumOfSquares(row, width) / static_cast<float>(width);
    const float scale = 1.0F / std::sqrt(mean + epsilon);
    const VF scales = hn::Set(d, scale);
    size_t i = 0;
    for (; i + kFloatLanes <= width; i += kFloatLanes) {
      hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, row + i), scales), hn::LoadU(d, weight + i)), d, target + i);
    }
    for (; i < width; ++i) target[i] = row[i] * scale * weight[i];
  }
}

inline constexpr RmsNormKernels kRmsNormKernels = {RmsNormRows};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(RmsNormKernels, CpuRmsNormKernels, kRmsNormKernels)
}  // namespace enigma::engine
#endif
