#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace enigma::engine {

// What is added up beside the gradients of a step. Every rank fills in its own, the sum is what everybody then knows.
class StepHeader {
 public:
  StepHeader(size_t ranks, size_t slots, size_t parameters);

  void Clear();
  // Loss in nats, as fixed point: sums of it have no order.
  void AddSlot(size_t slot, double loss, uint64_t tokens);
  void MarkNotFinite(size_t slot) { At(kSlotFlags, slot) = 1; }
  void SetMisfits(std::span<const int64_t> misfits);
  void SetControl(uint64_t control) { values_[kControl] = static_cast<int64_t>(control); }
  // What the rank's sums were made with; AllAlike tells whether everybody's were.
  void SetStanding(uint64_t step, std::span<const int32_t> exponents);
  void SetWork(size_t rank, uint32_t slots, double seconds);

  std::span<int64_t> values() { return values_; }

  double loss() const;  // sum
  uint64_t tokens() const { return static_cast<uint64_t>(values_[kTokens]); }
  uint64_t control() const { return static_cast<uint64_t>(values_[kControl]); }
  // How many slots were added: each must be there once.
  uint64_t slots_computed() const { return static_cast<uint64_t>(values_[kSlots]); }
  bool AllAlike() const;
  bool AnyMisfit() const;
  std::span<const int64_t> misfits() const;
  // The first slot whose loss or gradient is not finite; -1: none.
  int64_t FirstNotFinite() const;
  uint32_t SlotsOf(size_t rank) const { return static_cast<uint32_t>(At(kWork, 2 * rank)); }
  double SecondsOf(size_t rank) const;

 private:
  enum Field : size_t { kLoss, kTokens, kControl, kSlots, kStanding, kStandingSquared, kFixed };
  enum Part { kSlotFlags, kWork, kMisfits };
  size_t Offset(Part part) const;
  int64_t& At(Part part, size_t index) { return values_[Offset(part) + index]; }
  int64_t At(Part part, size_t index) const { return values_[Offset(part) + index]; }

  const size_t ranks_;
  const size_t slots_;
  const size_t parameters_;
  std::vector<int64_t> values_;
};

}  // namespace enigma::engine
