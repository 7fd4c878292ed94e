#pragma once

#include <cstdint>

namespace enigma::engine {

// Where inside one rule of a grammar the output stands. What the bits mean is each rule's own matter.
using LocalState = uint64_t;
inline constexpr LocalState kDeadState = ~LocalState{0};      // the byte was not allowed
inline constexpr LocalState kDoneState = ~LocalState{0} - 1;  // the rule is complete and takes no more

// White space between the parts of an object or array: nothing, one space, or one line break with up to 32 spaces or
// 16 tabs behind it. That is what models write by nature, and nobody can loop in it.
inline constexpr uint32_t kNoGap = 0;
inline constexpr uint32_t kBadGap = 0xFF;

// The states of objects and arrays begin with what they have in common: their phase, and the gap (8 bits each).
inline uint32_t PhaseOf(LocalState state) { return state & 0xFF; }
inline uint32_t GapOf(LocalState state) { return state >> 8 & 0xFF; }

inline uint32_t NextGap(uint32_t gap, uint8_t byte) {
  constexpr uint32_t kSpace = 1;
  constexpr uint32_t kLine = 2;  // kLine + n: n spaces of indentation
  constexpr uint32_t kSpacesMax = 32;
  constexpr uint32_t kTabs = kLine + kSpacesMax;  // kTabs + n: n tabs, at least one
  constexpr uint32_t kTabsMax = 16;
  if (gap == kNoGap) return byte == ' ' ? kSpace : byte == '\n' ? kLine : kBadGap;
  if (byte == ' ') return gap >= kLine && gap < kLine + kSpacesMax ? gap + 1 : kBadGap;
  if (byte == '\t') {
    if (gap == kLine) return kTabs + 1;
    return gap > kTabs && gap < kTabs + kTabsMax ? gap + 1 : kBadGap;
  }
  return kBadGap;
}

}  // namespace enigma::engine
