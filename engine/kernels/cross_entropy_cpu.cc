#include "engine/kernels/cross_entropy_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cross_entropy_cpu.cc"
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

// Short enough for sums of floats to lose little: 64 terms in each part.
constexpr size_t kExpStretch = 1024;

float LargestLogit(const float* logits, size_t vocab) {
  const DF d;
  const hn::RebindToSigned<DF> di;
  VF largest = hn::Set(d, logits[0]);
  // As integers magnitudes have the order of the numbers, and what is not finite comes last.
  auto magnitude = hn::Zero(di);
  const auto look = [&](const float* at) {
    const VF v = hn::LoadU(d, at);
    largest = hn::Max(largest, v);
    magnitude = hn::Max(magnitude, hn::BitCast(di, hn::Abs(v)));
  };
  size_t i = 0;
  for (; i + kFloatLanes <= vocab; i += kFloatLanes) look(logits + i);
  HWY_ALIGN float rest[kFloatLanes];
  if (i < vocab) {
    std::fill_n(rest, kFloatLanes, logits[0]);
    std::memcpy(rest, logits + i, (vocab - i) * sizeof(float));
    look(rest);
  }
  HWY_ALIGN int32_t magnitudes[kFloatLanes];
  hn::Store(magnitude, di, magnitudes);
  hn::Store(largest, d, rest);
  constexpr int32_t kInfinity = 0x7F800000;
  if (*std::max_element(magnitudes, magnitudes + kFloatLanes) >= kInfinity) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  return *std::max_element(rest, rest + kFloatLanes);
}

template <bool kKeep>
HWY_INLINE double SumOfExponentials(const float* logits, float largest, size_t vocab, float* kept) {
  const DF d;
  const VF origin = hn::Set(d, largest);
  double total = 0;
  for (size_t begin = 0; begin < vocab; begin += kExpStretch) {
    const size_t end = std::min(begin + kExpStretch, vocab);
    VF sums[kHalves];
    for (VF& sum : sums) sum = hn::Zero(d);
    const auto add = [&](const float* in, float* out) {
      for (int h = 0; h < kHalves; ++h) {
        const VF e = Exp(hn::Sub(hn::LoadU(d, in + h * kFloatLanes), origin));
        if (kKeep) hn::StoreU(e, d, out + h * kFloatLanes);
        sums[h] = hn::Add(sums[h], e);
      }
    };
    size_t i = begin;
    for (; i + 16 <= end; i += 16) add(logits + i, kKeep ? kept + i : nullptr);
    HWY_ALIGN float rest[16];
    if (i < end) {
      std::fill_n(rest, 16, -std::numeric_limits<float>::infinity());  // whose Exp is 0
      std::memcpy(rest, logits + i, (end - i) * sizeof(float));
      add(rest, rest);
      if (kKeep) std::memcpy(kept + i, rest, (end - i) * sizeof(float));
    }
    for (int h = 0; h < kHalves; ++h) hn::Store(sums[h], d, rest + h * kFloatLanes);
    total += static_cast<double>(SumOf16(rest));
  }
  return total;
}

double ExpSum(const float* logits, float largest, size_t vocab) {
  return SumOfExponentials<false>(logits, largest, vocab, nullptr);
}

double ExpInPlace(float* logits, float largest, size_t vocab) {
  return SumOfExponentials<true>(logits, largest, vocab, logits);
}

void ScaleSpan(float* x, size_t width, float factor) {
  const DF d;
  const VF factors = hn::Set(d, factor);
  size_t i = 0;
  for (; i + kFloatLanes <= width; i += kFloatLanes) hn::StoreU(hn::Mul(hn::LoadU(d, x + i), factors), d, x + i);
  for (; i < width; ++i) x[i] *= factor;
}

inline constexpr CrossEntropyKernels kCrossEntropyKernels = {LargestLogit, ExpSum, ExpInPlace, ScaleSpan};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(CrossEntropyKernels, CpuCrossEntropyKernels, kCrossEntropyKernels)
}  // namespace enigma::engine
#endif
