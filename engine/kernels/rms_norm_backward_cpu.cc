#include "engine/kernels/rms_norm_backward_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/rms_norm_backward_cpu.cc"
#include <cmath>
#include <cstring>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

// Sums in sixteen interleaved parts, element i in part i mod 16, as the forward pass does. `term` gives the product
// that is added for lanes from pointers into up to three rows.
template <int kRows, class Term>
HWY_INLINE float SumOver(const float* const (&rows)[kRows], size_t width, const Term& term) {
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

float RmsNormScale(const float* x, float epsilon, size_t width) {
  const float* const rows[1] = {x};
  const float sum =
      SumOver<1>(rows, width, [](const VF(&v)[1], VF sum_so_far) { return hn::MulAdd(v[0], v[0], sum_so_far); });
  return 1.0F / std::sqrt(sum / static_cast<float>(width) + epsilon);
}

void RmsNormBackwardRow(const float* d_out, const float* x, const float* weight, float scale, size_t width,
                        float* d_x) {
  const DF d;
  const float* const rows[3] = {d_out, x, weight};
  const float dot = SumOver<3>(
      rows, width, [](const VF(&v)[3], VF sum_so_far) { return hn::MulAdd(hn::Mul(v[2], v[0]), v[1], sum_so_far); });
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
