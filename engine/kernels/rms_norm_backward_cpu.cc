#include "engine/kernels/rms_norm_backward_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/rms_norm_backward_cpu.cc"
#include <cmath>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

float RmsNormScale(const float* x, float epsilon, size_t width) {
  return 1.0F / std::sqrt(SumOfSquares(x, width) / static_cast<float>(width) + epsilon);
}

void RmsNormBackwardRow(const float* d_out, const float* x, const float* weight, float scale, size_t width,
                        float* d_x) {
  const DF d;
  const float* const rows[3] = {d_out, x, weight};
  const float dot = SumInSixteenParts<3>(
      rows, width, [](const VF(&v)[3], VF sum) { return hn::MulAdd(hn::Mul(v[2], v[0]), v[1], sum); });
  const float pull = dot * scale * scale / static_cast<float>(width);
  const VF scales = hn::Set(d, scale);
  const VF pulls = hn::Set(d, pull);
  size_t i = 0;
  for (; i + kFloatLanes <= width; i += kFloatLanes) {
    const VF straight = hn::Mul(hn::LoadU(d, weight + i), hn::LoadU(d, d_out + i));
    hn::StoreU(hn::Mul(scales, hn::NegMulAdd(hn::LoadU(d, x + i), pulls, straight)), d, d_x + i);
  }
  for (; i < width; ++i) d_x[i] = scale * std::fma(-x[i], pull, weight[i] * d_out[i]);
}

void RmsNormWeightRow(const float* d_out, const float* x, float scale, size_t width, float* d_weight) {
  const DF d;
  const VF scales = hn::Set(d, scale);
  size_t i = 0;
  for (; i + kFloatLanes <= width; i += kFloatLanes) {
    const VF normed = hn::Mul(hn::LoadU(d, x + i), scales);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, d_out + i), normed, hn::LoadU(d, d_weight + i)), d, d_weight + i);
  }
  for (; i < width; ++i) d_weight[i] = std::fma(d_out[i], x[i] * scale, d_weight[i]);
}

inline constexpr RmsNormBackwardKernels kRmsNormBackwardKernels = {RmsNormScale, RmsNormBackwardRow, RmsNormWeightRow};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(RmsNormBackwardKernels, CpuRmsNormBackwardKernels, kRmsNormBackwardKernels)
}  // namespace enigma::engine
#endif
