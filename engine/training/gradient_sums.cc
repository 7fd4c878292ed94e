#include "engine/training/gradient_sums.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/kernels/fixed_point.h"

namespace enigma::engine {
namespace {

constexpr int32_t kExponentMin = -64;
constexpr int32_t kExponentMax = 100;
constexpr int32_t kAdaptBy = 4;
constexpr int32_t kRedoBy = 8;
constexpr uint64_t kLargeMagnitude = uint64_t{1} << 44;
constexpr uint64_t kSmallMagnitude = uint64_t{1} << 36;

}  // namespace

GradientSums::GradientSums(const ParameterLayout& layout)
    : layout_(layout), sums_(layout.floats()), misfits_(layout.parameters().size()) {
  Clear();
}

void GradientSums::Clear() {
  std::memset(sums_.data(), 0, sums_.size() * sizeof(int64_t));
  std::fill(misfits_.begin(), misfits_.end(), 0);
}

bool GradientSums::Add(const float* gradient, size_t begin, size_t end, std::span<const int32_t> exponents,
                       ThreadPool& pool) {
  const std::vector<Parameter>& parameters = layout_.parameters();
  bool finite = true;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& p = parameters[i];
    if (p.offset < begin || p.offset >= end) continue;
    const float* values = gradient + p.offset;
    const uint64_t misfits = AddFixedPoint(values, p.count, exponents[i], sums_.data() + p.offset, pool);
    if (misfits == 0) continue;
    const auto wild = std::count_if(values, values + p.count, [](float value) { return !std::isfinite(value); });
    finite = finite && wild == 0;
    misfits_[i] += static_cast<int64_t>(misfits) - wild;
  }
  return finite;
}

void AdaptExponents(const ParameterLayout& layout, std::span<const int64_t> sums, std::vector<int32_t>& exponents,
                    ThreadPool& pool) {
  for (size_t i = 0; i < exponents.size(); ++i) {
    const Parameter& p = layout.parameters()[i];
    const uint64_t largest = LargestMagnitude(sums.data() + p.offset, p.count, pool);
    if (largest >= kLargeMagnitude) {
      exponents[i] = std::max(exponents[i] - kAdaptBy, kExponentMin);
    } else if (largest > 0 && largest < kSmallMagnitude) {
      exponents[i] = std::min(exponents[i] + kAdaptBy, kExponentMax);
    }
  }
}

bool LowerExponents(std::span<const int64_t> misfits, std::vector<int32_t>& exponents) {
  for (size_t i = 0; i < exponents.size(); ++i) {
    if (misfits[i] == 0) continue;
    if (exponents[i] <= kExponentMin) return false;
    exponents[i] = std::max(exponents[i] - kRedoBy, kExponentMin);
  }
  return true;
}

}  // namespace enigma::engine
