#include "engine/kernels/dropout_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/dropout_cpu.cc"
#include <cstring>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

using DU64 = hn::ScalableTag<uint64_t>;
using VU64 = hn::Vec<DU64>;
constexpr size_t kCounterLanes = kFloatLanes / 2;
constexpr size_t kGroup = 32;  // columns

// Philox4x32-10 on the low halves of lanes; the high ones are of no account.
HWY_INLINE void PhiloxLanes(const DropoutMask& mask, VU64 (&c)[4]) {
  const DU64 d;
  const hn::Repartition<uint32_t, DU64> d32;
  const auto multiplier0 = hn::Set(d32, 0xD2511F53);
  const auto multiplier1 = hn::Set(d32, 0xCD9E8D57);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const VU64 p0 = hn::MulEven(hn::BitCast(d32, c[0]), multiplier0);
    const VU64 p1 = hn::MulEven(hn::BitCast(d32, c[2]), multiplier1);
    c[0] = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c[1]), hn::Set(d, mask.keys[round][0]));
    c[1] = p1;
    c[2] = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c[3]), hn::Set(d, mask.keys[round][1]));
    c[3] = p0;
  }
}

// Bits of neighbouring columns are the low halves of `even` and `odd`.
HWY_INLINE void DropLanes(const DropoutMask& mask, VU64 even, VU64 odd, float* x) {
  const DF d;
  const DU64 d64;
  const hn::RebindToSigned<DF> di;
  const VU64 bits = hn::Or(hn::And(even, hn::Set(d64, 0xFFFFFFFF)), hn::ShiftLeft<32>(odd));
  const auto drop = hn::RebindMask(d, hn::Lt(hn::BitCast(di, bits), hn::Set(di, mask.threshold)));
  hn::StoreU(hn::IfThenZeroElse(drop, hn::Mul(hn::LoadU(d, x), hn::Set(d, mask.scale))), d, x);
}

HWY_INLINE void DropGroup(const DropoutMask& mask, uint32_t row_number, size_t group, float* x) {
  const DU64 d;
  for (size_t h = 0; h < 8 / kCounterLanes; ++h) {
    VU64 c[4] = {hn::Iota(d, 8 * group + h * kCounterLanes), hn::Set(d, row_number), hn::Set(d, mask.stream[0]),
                 hn::Set(d, mask.stream[1])};
    PhiloxLanes(mask, c);
    DropLanes(mask, c[0], c[1], x + h * kFloatLanes);
    DropLanes(mask, c[2], c[3], x + 16 + h * kFloatLanes);
  }
}

void DropRow(const DropoutMask& mask, uint32_t row_number, size_t width, float* x) {
  const DropoutMask m = mask;  // a copy that no store can change
  size_t i = 0;
  for (; i + kGroup <= width; i += kGroup) DropGroup(m, row_number, i / kGroup, x + i);
  if (i == width) return;
  HWY_ALIGN float rest[kGroup] = {};
  std::memcpy(rest, x + i, (width - i) * sizeof(float));
  DropGroup(m, row_number, i / kGroup, rest);
  std::memcpy(x + i, rest, (width - i) * sizeof(float));
}

inline constexpr DropoutKernels kDropoutKernels = {DropRow};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(DropoutKernels, CpuDropoutKernels, kDropoutKernels)
}  // namespace enigma::engine
#endif
