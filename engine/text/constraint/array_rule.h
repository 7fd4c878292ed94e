#pragma once

#include <cstdint>
#include <vector>

#include "engine/text/constraint/local_state.h"

namespace enigma::engine {

inline constexpr uint32_t kNoSlot = ~0U;

// A rule that lets the alternatives of `slot` follow and then continues at `after`.
struct SlotCall {
  uint32_t slot;
  LocalState after;
};

// A JSON array of `min` to `max` elements: the first ones each of their own slot, the others of `items`.
struct ArrayRule {
  static constexpr uint32_t kUnlimited = ~0U;
  std::vector<uint32_t> prefix;  // slots
  uint32_t items = kNoSlot;
  uint32_t min = 0;
  uint32_t max = kUnlimited;

  static LocalState Start() { return 0; }
  LocalState Next(LocalState state, uint8_t byte) const;
  bool CallAt(LocalState state, SlotCall& call) const;

 private:
  bool MayHaveMore(uint64_t count) const { return count < max && (count < prefix.size() || items != kNoSlot); }
};

}  // namespace enigma::engine
