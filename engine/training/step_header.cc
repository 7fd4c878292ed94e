#include "engine/training/step_header.h"

#include <algorithm>
#include <cmath>

namespace enigma::engine {
namespace {

// Units of a slot's loss: 2^-24 nats. A slot's sum is below 2^39 nats.
constexpr double kLossUnits = 0x1p24;
constexpr double kLossMax = 0x1p62;
constexpr double kNanoseconds = 1e9;

}  // namespace

StepHeader::StepHeader(size_t ranks, size_t slots, size_t parameters)
    : ranks_(ranks), slots_(slots), parameters_(parameters), values_(kFixed + slots + 2 * ranks + parameters) {}

void StepHeader::Clear() { std::fill(values_.begin(), values_.end(), 0); }

size_t StepHeader::Offset(Part part) const {
  switch (part) {
    case kSlotFlags:
      return kFixed;
    case kWork:
      return kFixed + slots_;
    case kMisfits:
      return kFixed + slots_ + 2 * ranks_;
  }
  return kFixed;
}

void StepHeader::AddSlot(size_t slot, double loss, uint64_t tokens) {
  values_[kSlots] += 1;
  values_[kTokens] += static_cast<int64_t>(tokens);
  const double units = std::nearbyint(loss * kLossUnits);
  if (!(std::fabs(units) < kLossMax)) return MarkNotFinite(slot);  // not a number fails too
  values_[kLoss] += static_cast<int64_t>(units);
}

void StepHeader::SetMisfits(std::span<const int64_t> misfits) {
  std::copy(misfits.begin(), misfits.end(), values_.begin() + static_cast<std::ptrdiff_t>(Offset(kMisfits)));
}

void StepHeader::SetWork(size_t rank, uint32_t slots, double seconds) {
  At(kWork, 2 * rank) = slots;
  At(kWork, 2 * rank + 1) = static_cast<int64_t>(seconds * kNanoseconds);
}

void StepHeader::SetStanding(uint64_t step, std::span<const int32_t> exponents) {
  // FNV-1a over both, as a number small enough that squares add up.
  uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&](uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
  mix(step);
  for (const int32_t exponent : exponents) mix(static_cast<uint32_t>(exponent));
  constexpr int kBits = 26;
  const auto standing = static_cast<int64_t>(hash >> (64 - kBits));
  values_[kStanding] = standing;
  values_[kStandingSquared] = standing * standing;
}

// n * sum of squares = square of the sum only where all are equal (Cauchy and Schwarz). Squares are below 2^52, so up
// to 2,048 ranks add up without wrapping around.
bool StepHeader::AllAlike() const {
  const auto sum = static_cast<unsigned __int128>(values_[kStanding]);
  return sum * sum == static_cast<unsigned __int128>(values_[kStandingSquared]) * ranks_;
}

double StepHeader::loss() const { return static_cast<double>(values_[kLoss]) / kLossUnits; }

double StepHeader::SecondsOf(size_t rank) const { return static_cast<double>(At(kWork, 2 * rank + 1)) / kNanoseconds; }

std::span<const int64_t> StepHeader::misfits() const {
  return std::span(values_).subspan(Offset(kMisfits), parameters_);
}

bool StepHeader::AnyMisfit() const {
  const std::span<const int64_t> all = misfits();
  return std::any_of(all.begin(), all.end(), [](int64_t count) { return count != 0; });
}

int64_t StepHeader::FirstNotFinite() const {
  for (size_t slot = 0; slot < slots_; ++slot) {
    if (At(kSlotFlags, slot) != 0) return static_cast<int64_t>(slot);
  }
  return -1;
}

}  // namespace enigma::engine
