// Reading a packed panel block by block, compiled once per target. See panel_layout.h and block_dot_inl.h.
#if defined(ENIGMA_KERNELS_PACKED_SOURCE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ENIGMA_KERNELS_PACKED_SOURCE_INL_H
#undef ENIGMA_KERNELS_PACKED_SOURCE_INL_H
#else
#define ENIGMA_KERNELS_PACKED_SOURCE_INL_H
#endif

#include "engine/kernels/block_dot_inl.h"
#include "engine/kernels/panel_layout.h"

#if ENIGMA_KERNEL_TARGET
ENIGMA_DOT_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

constexpr int BitsOf(DType type) {
  switch (type) {
    case DType::kQ8_0:
      return 8;
    case DType::kQ6_K:
      return 6;
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ5_K:
      return 5;
    default:
      return 4;
  }
}
constexpr int OffsetOf(DType type) { return type == DType::kQ4_0 ? 8 : type == DType::kQ5_0 ? 16 : 0; }
constexpr bool IsAffine(DType type) { return type != DType::kQ6_K && LayoutOf(type).minima != 0; }
constexpr bool IsK(DType type) { return LayoutOf(type).blocks == 8; }

HWY_INLINE VF LoadHalves(const uint8_t* p) {
  const hn::Rebind<hwy::float16_t, DF> dh;
  return hn::PromoteTo(DF(), hn::LoadU(dh, reinterpret_cast<const hwy::float16_t*>(p)));
}
// Shifts whole words: no set bit may leave its byte.
template <int kLeft>
HWY_INLINE VB MoveBits(VB v) {
  const VI w = hn::BitCast(DI(), v);
  if constexpr (kLeft > 0) {
    return hn::BitCast(DB(), hn::ShiftLeft<kLeft>(w));
  } else if constexpr (kLeft < 0) {
    const hn::RebindToUnsigned<DI> du;
    return hn::BitCast(DB(), hn::ShiftRight<-kLeft>(hn::BitCast(du, w)));
  } else {
    return v;
  }
}

template <DType kType>
class PackedSource {
 public:
  static constexpr PanelLayout kLayout = LayoutOf(kType);
  static constexpr int kBits = BitsOf(kType);
  static constexpr int kOffset = OffsetOf(kType);
  static constexpr bool kAffine = IsAffine(kType);

  PackedSource(const uint8_t* panel, size_t block)
      : unit_(panel + block / kLayout.blocks * kLayout.bytes), sub_(block % kLayout.blocks) {}

  // Groups c and c + 4 share a vector of nibbles.
  static constexpr int GroupAt(int step) { return kBits == 8 ? step : step / 2 + step % 2 * 4; }

  template <int J>
  HWY_INLINE VB Codes(int h) const {
    const DB d;
    const size_t lane = static_cast<size_t>(h) * kFloatLanes * 4;
    const uint8_t* codes = unit_ + kLayout.codes + sub_ * kLayout.block_bytes + lane;
    if constexpr (kBits == 8) return hn::Load(d, codes + J * 64);
    VB v = hn::Load(d, codes + J % 4 * 64);
    if constexpr (J >= 4) v = MoveBits<-4>(v);
    v = hn::And(v, hn::Set(d, 15));
    const uint8_t* high = unit_ + kLayout.high + sub_ * kLayout.block_bytes + lane;
    if constexpr (kBits == 5) {
      const VB bit = hn::And(hn::Load(d, high), hn::Set(d, 1 << J));
      v = hn::Or(v, MoveBits<4 - J>(bit));
    } else if constexpr (kBits == 6) {
      const VB pair = hn::And(hn::Load(d, high + J / 4 * 64), hn::Set(d, 3 << (J % 4 * 2)));
      v = hn::Or(v, MoveBits<4 - J % 4 * 2>(pair));
    }
    return v;
  }

  HWY_INLINE VF Scale(int h) const {
    const size_t row = static_cast<size_t>(h) * kFloatLanes;
    if constexpr (kType == DType::kQ6_K) {
      return hn::Load(DF(), reinterpret_cast<const float*>(unit_ + kLayout.scales) + row);
    } else if constexpr (IsK(kType)) {
      return hn::Mul(LoadHalves(unit_ + kLayout.scales + row * 2), SubScale(0, h));
    } else {
      return LoadHalves(unit_ + kLayout.scales + sub_ * 32 + row * 2);
    }
  }

  // What is added per unit of activation sum: m, or -dmin * m for K-quants.
  HWY_INLINE VF Minimum(int h) const {
    const size_t row = static_cast<size_t>(h) * kFloatLanes;
    if constexpr (IsK(kType)) {
      return hn::Neg(hn::Mul(LoadHalves(unit_ + kLayout.minima + row * 2), SubScale(1, h)));
    } else {
      return LoadHalves(unit_ + kLayout.minima + sub_ * 32 + row * 2);
    }
  }

  // Q6_K: scale of half block `which`. Q4_K, Q5_K: scale (0) or minimum (1) of the block.
  HWY_INLINE VF SubScale(int which, int h) const {
    const DI di;
    if constexpr (kType == DType::kQ6_K) {
      const VI both = BothScales(h);
      return hn::ConvertTo(DF(), hn::ShiftRight<16>(which == 0 ? hn::ShiftLeft<16>(both) : both));
    } else {
      const hn::Rebind<uint8_t, DI> db;
      const uint8_t* p = unit_ + kLayout.sub_scales + sub_ * 32 + which * 16 + static_cast<size_t>(h) * kFloatLanes;
      return hn::ConvertTo(DF(), hn::PromoteTo(di, hn::LoadU(db, p)));
    }
  }

  // Scale of the first half block in the low int16, of the second in the high one.
  HWY_INLINE VI BothScales(int h) const {
    const hn::Repartition<int16_t, DF> d16;
    const hn::Rebind<int8_t, decltype(d16)> d8;
    const uint8_t* p = unit_ + kLayout.sub_scales + sub_ * 32 + static_cast<size_t>(h) * kFloatLanes * 2;
    return hn::BitCast(DI(), hn::PromoteTo(d16, hn::LoadU(d8, reinterpret_cast<const int8_t*>(p))));
  }

  HWY_INLINE VI ScalePair(int half, int h) const {
    alignas(16) static constexpr uint8_t kPlaces[2][16] = {{0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13},
                                                           {2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15}};
    const VB places = hn::LoadDup128(DB(), kPlaces[half]);
    return hn::BitCast(DI(), hn::TableLookupBytes(hn::BitCast(DB(), BothScales(h)), places));
  }

 private:
  const uint8_t* unit_;
  size_t sub_;
};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET
#endif  // include guard
