#include "engine/kernels/fixed_point_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/fixed_point_cpu.cc"
#include <algorithm>
#include <cstring>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/fixed_point.h"
#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

using DD = hn::ScalableTag<double>;
using DI = hn::ScalableTag<int64_t>;
using VI = hn::Vec<DI>;
using DHalf = hn::Rebind<float, DD>;  // as many floats as a vector has doubles
constexpr size_t kDoubleLanes = HWY_LANES(double);
constexpr int kSixteenths = static_cast<int>(16 / kDoubleLanes);  // vectors of sixteen doubles

// Adds lanes to sums, and -1 to the count of misfits for each lane that does not fit.
HWY_INLINE void AddLanes(const float* values, double scale, int64_t* sums, VI& misfits) {
  const DD d;
  const DI di;
  const auto units = hn::Mul(hn::PromoteTo(d, hn::LoadU(DHalf(), values)), hn::Set(d, scale));
  const auto fits = hn::Lt(hn::Abs(units), hn::Set(d, static_cast<double>(int64_t{1} << kFixedPointValueBits)));
  misfits = hn::Add(misfits, hn::VecFromMask(di, hn::RebindMask(di, hn::Not(fits))));
  // Beside 1.5 * 2^52 a double has no bits left below one: the addition rounds to nearest even, and the difference of
  // the two numbers' bits is the integer.
  const auto magic = hn::Set(d, 0x1.8p52);
  const auto rounded = hn::BitCast(di, hn::Add(hn::IfThenElseZero(fits, units), magic));
  hn::StoreU(hn::Add(hn::LoadU(di, sums), hn::Sub(rounded, hn::BitCast(di, magic))), di, sums);
}

uint64_t AddFixed(const float* values, size_t count, double scale, int64_t* sums) {
  const DI di;
  VI misfits = hn::Zero(di);
  size_t i = 0;
  for (; i + kDoubleLanes <= count; i += kDoubleLanes) AddLanes(values + i, scale, sums + i, misfits);
  if (i < count) {
    HWY_ALIGN float rest[kDoubleLanes] = {};
    HWY_ALIGN int64_t rest_sums[kDoubleLanes] = {};
    std::memcpy(rest, values + i, (count - i) * sizeof(float));
    std::memcpy(rest_sums, sums + i, (count - i) * sizeof(int64_t));
    AddLanes(rest, scale, rest_sums, misfits);
    std::memcpy(sums + i, rest_sums, (count - i) * sizeof(int64_t));
  }
  return static_cast<uint64_t>(-hn::GetLane(hn::SumOfLanes(di, misfits)));
}

void FixedToFloats(const int64_t* sums, size_t count, double scale, float* values) {
  const DD d;
  const DI di;
  const auto scales = hn::Set(d, scale);
  size_t i = 0;
  for (; i + kDoubleLanes <= count; i += kDoubleLanes) {
    const auto value = hn::Mul(hn::ConvertTo(d, hn::LoadU(di, sums + i)), scales);
    hn::StoreU(hn::DemoteTo(DHalf(), value), DHalf(), values + i);
  }
  for (; i < count; ++i) values[i] = static_cast<float>(static_cast<double>(sums[i]) * scale);
}

double FixedSquares(const int64_t* sums, size_t count, double scale) {
  const DD d;
  const DI di;
  const auto scales = hn::Set(d, scale);
  hn::Vec<DD> parts[kSixteenths];
  for (auto& part : parts) part = hn::Zero(d);
  const auto add = [&](const int64_t* at) {
    for (int h = 0; h < kSixteenths; ++h) {
      const auto value = hn::Mul(hn::ConvertTo(d, hn::LoadU(di, at + h * kDoubleLanes)), scales);
      parts[h] = hn::MulAdd(value, value, parts[h]);
    }
  };
  size_t i = 0;
  for (; i + 16 <= count; i += 16) add(sums + i);
  if (i < count) {
    HWY_ALIGN int64_t rest[16] = {};
    std::memcpy(rest, sums + i, (count - i) * sizeof(int64_t));
    add(rest);
  }
  HWY_ALIGN double total[16];
  for (int h = 0; h < kSixteenths; ++h) hn::Store(parts[h], d, total + h * kDoubleLanes);
  for (int half = 8; half > 0; half /= 2) {
    for (int part = 0; part < half; ++part) total[part] += total[part + half];
  }
  return total[0];
}

uint64_t FixedLargest(const int64_t* sums, size_t count) {
  const DI di;
  VI lowest = hn::Zero(di);
  VI highest = hn::Zero(di);
  size_t i = 0;
  for (; i + kDoubleLanes <= count; i += kDoubleLanes) {
    const VI v = hn::LoadU(di, sums + i);
    lowest = hn::Min(lowest, v);
    highest = hn::Max(highest, v);
  }
  HWY_ALIGN int64_t low[kDoubleLanes];
  HWY_ALIGN int64_t high[kDoubleLanes];
  hn::Store(lowest, di, low);
  hn::Store(highest, di, high);
  for (; i < count; ++i) {
    low[0] = std::min(low[0], sums[i]);
    high[0] = std::max(high[0], sums[i]);
  }
  // Unsigned, for the lowest integer has no opposite.
  return std::max(uint64_t{0} - static_cast<uint64_t>(*std::min_element(low, low + kDoubleLanes)),
                  static_cast<uint64_t>(*std::max_element(high, high + kDoubleLanes)));
}

inline constexpr FixedPointKernels kFixedPointKernels = {AddFixed, FixedToFloats, FixedSquares, FixedLargest};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(FixedPointKernels, CpuFixedPointKernels, kFixedPointKernels)
}  // namespace enigma::engine
#endif
