#include "engine/text/constraint/array_rule.h"

#include <algorithm>

namespace enigma::engine {
namespace {

// The state: phase, gap, and the elements so far. Without an upper limit those are counted only as far as they matter.
enum ArrayPhase : uint32_t { kBeforeArray, kArrayOpened, kAfterElement, kAfterElementComma };

LocalState PackArray(uint32_t phase, uint32_t gap, uint64_t count) { return phase | gap << 8 | count << 16; }
uint64_t ElementsOf(LocalState state) { return state >> 16; }

}  // namespace

LocalState ArrayRule::Next(LocalState state, uint8_t byte) const {
  const uint32_t phase = PhaseOf(state);
  const uint64_t count = ElementsOf(state);
  if (phase == kBeforeArray) return byte == '[' ? PackArray(kArrayOpened, kNoGap, 0) : kDeadState;
  const bool may_close = phase != kAfterElementComma && count >= min;
  if (byte == ']') return may_close ? kDoneState : kDeadState;
  if (byte == ',' && phase == kAfterElement) {
    return GapOf(state) == kNoGap && MayHaveMore(count) ? PackArray(kAfterElementComma, kNoGap, count) : kDeadState;
  }
  if (phase == kAfterElement && !may_close) return kDeadState;
  const uint32_t gap = NextGap(GapOf(state), byte);
  return gap == kBadGap ? kDeadState : PackArray(phase, gap, count);
}

bool ArrayRule::CallAt(LocalState state, SlotCall& call) const {
  const uint32_t phase = PhaseOf(state);
  uint64_t count = ElementsOf(state);
  if (phase != kAfterElementComma && (phase != kArrayOpened || !MayHaveMore(count))) return false;
  call.slot = count < prefix.size() ? prefix[count] : items;
  ++count;
  if (max == kUnlimited) count = std::min<uint64_t>(count, std::max<uint64_t>(prefix.size(), min));
  call.after = PackArray(kAfterElement, kNoGap, count);
  return true;
}

}  // namespace enigma::engine
