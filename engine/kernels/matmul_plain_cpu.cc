#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/matmul_plain_cpu.cc"
#include <algorithm>
#include <cstring>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/matmul_cpu.h"
#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

constexpr size_t kTokenTile = 6;     // tokens whose sums live in registers
constexpr size_t kStretch = 256;     // columns of a panel converted to f32 at a time
constexpr size_t kTileTokens = 120;  // tokens that share a converted stretch

HWY_INLINE VF LoadWeights(const float* p) { return hn::LoadU(DF(), p); }
HWY_INLINE VF LoadWeights(const hwy::float16_t* p) {
  const hn::Rebind<hwy::float16_t, DF> dh;
  return hn::PromoteTo(DF(), hn::LoadU(dh, p));
}
HWY_INLINE VF LoadWeights(const hwy::bfloat16_t* p) {
  const hn::Rebind<uint16_t, DF> dh;
  const hn::RebindToUnsigned<DF> du;
  return hn::BitCast(DF(), hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(dh, reinterpret_cast<const uint16_t*>(p)))));
}

// sums[p][t][16] += P panels (at `panel` and every `panel_step` elements) of `count` columns times T rows of x, column
// by column, each step fused. Several panels at once hide the latency of the additions.
template <int P, int T, typename E>
HWY_NOINLINE void MultiplyStretch(const E* HWY_RESTRICT panel, size_t panel_step, size_t count, const float* x,
                                  size_t x_stride, float* HWY_RESTRICT sums_at) {
  const DF d;
  constexpr int kVectors = P * kHalves;
  VF sums[kVectors][T];
  for (int v = 0; v < kVectors; ++v) {
    for (int t = 0; t < T; ++t) {
      sums[v][t] = hn::LoadU(d, sums_at + (v / kHalves * T + t) * 16 + v % kHalves * kFloatLanes);
    }
  }
  for (size_t c = 0; c < count; ++c) {
    VF a[T];
    for (int t = 0; t < T; ++t) a[t] = hn::Set(d, x[t * x_stride + c]);
    for (int v = 0; v < kVectors; ++v) {
      const VF w = LoadWeights(panel + v / kHalves * panel_step + c * 16 + v % kHalves * kFloatLanes);
      for (int t = 0; t < T; ++t) sums[v][t] = hn::MulAdd(w, a[t], sums[v][t]);
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    for (int t = 0; t < T; ++t) {
      hn::StoreU(sums[v][t], d, sums_at + (v / kHalves * T + t) * 16 + v % kHalves * kFloatLanes);
    }
  }
}

// P panels from `p` on with tokens [token, token + T), all columns.
template <int P, int T, typename E>
HWY_INLINE void MultiplyDirect(const PackedMatrix& w, const ActivationRows& x, size_t p, size_t token, float* y,
                               size_t stride) {
  HWY_ALIGN float sums[P * T * 16] = {};
  MultiplyStretch<P, T>(reinterpret_cast<const E*>(w.panel(p)), w.cols() * 16, w.cols(), x.row(token), x.stride(),
                        sums);
  for (int i = 0; i < P; ++i) {
    const size_t rows = std::min<size_t>(16, w.rows() - (p + i) * 16);
    for (int t = 0; t < T; ++t) {
      std::memcpy(y + (token + t) * stride + (p + i) * 16, sums + (i * T + t) * 16, rows * sizeof(float));
    }
  }
}

template <int T, typename E>
HWY_INLINE void MultiplyFew(const PackedMatrix& w, const ActivationRows& x, size_t begin, size_t end, size_t token,
                            float* y, size_t stride) {
  constexpr int kPanels = std::max(1, 8 / (kHalves * T));
  size_t p = begin;
  for (; p + kPanels <= end; p += kPanels) MultiplyDirect<kPanels, T, E>(w, x, p, token, y, stride);
  if constexpr (kPanels > 1) {
    for (; p < end; ++p) MultiplyDirect<1, T, E>(w, x, p, token, y, stride);
  }
}

template <typename E>
HWY_INLINE const float* Converted(const E* from, size_t count, float* buffer) {
  for (size_t i = 0; i < count * 16; i += kFloatLanes) hn::Store(LoadWeights(from + i), DF(), buffer + i);
  return buffer;
}
HWY_INLINE const float* Converted(const float* from, size_t, float*) { return from; }

template <typename E>
void MultiplyMany(const PackedMatrix& w, const ActivationRows& x, size_t begin, size_t end, float* y, size_t stride) {
  alignas(64) float converted[kStretch * 16];
  alignas(64) float sums[kTileTokens * 16];
  for (size_t token = 0; token < x.tokens(); token += kTileTokens) {
    const size_t tokens = std::min(kTileTokens, x.tokens() - token);
    for (size_t p = begin; p < end; ++p) {
      std::memset(sums, 0, tokens * 16 * sizeof(float));
      for (size_t first = 0; first < w.cols(); first += kStretch) {
        const size_t count = std::min(kStretch, w.cols() - first);
        const float* tile = Converted(reinterpret_cast<const E*>(w.panel(p)) + first * 16, count, converted);
        size_t t = 0;
        for (; t + kTokenTile <= tokens; t += kTokenTile) {
          MultiplyStretch<1, kTokenTile>(tile, 0, count, x.row(token + t) + first, x.stride(), sums + t * 16);
        }
        if (tokens - t >= 3) {
          MultiplyStretch<1, 3>(tile, 0, count, x.row(token + t) + first, x.stride(), sums + t * 16);
          t += 3;
        }
        for (; t < tokens; ++t) {
          MultiplyStretch<1, 1>(tile, 0, count, x.row(token + t) + first, x.stride(), sums + t * 16);
        }
      }
      const size_t rows = std::min<size_t>(16, w.rows() - p * 16);
      for (size_t t = 0; t < tokens; ++t) {
        std::memcpy(y + (token + t) * stride + p * 16, sums + t * 16, rows * sizeof(float));
      }
    }
  }
}

template <typename E>
void MultiplyPlain(const PackedMatrix& w, const ActivationRows& x, size_t begin, size_t end, float* y, size_t stride) {
  switch (x.tokens()) {
    case 1:
      return MultiplyFew<1, E>(w, x, begin, end, 0, y, stride);
    case 2:
      return MultiplyFew<2, E>(w, x, begin, end, 0, y, stride);
    case 3:
      return MultiplyFew<3, E>(w, x, begin, end, 0, y, stride);
    case 4:
      return MultiplyFew<4, E>(w, x, begin, end, 0, y, stride);
    case 5:
      return MultiplyFew<5, E>(w, x, begin, end, 0, y, stride);
    case 6:
      return MultiplyFew<6, E>(w, x, begin, end, 0, y, stride);
    default:
      return MultiplyMany<E>(w, x, begin, end, y, stride);
  }
}

inline constexpr PlainMatMulKernels kPlainMatMulKernels = {MultiplyPlain<float>, MultiplyPlain<hwy::float16_t>,
                                                           MultiplyPlain<hwy::bfloat16_t>};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(PlainMatMulKernels, CpuPlainMatMulKernels, kPlainMatMulKernels)
}  // namespace enigma::engine
#endif
