#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/text/constraint/local_state.h"

namespace enigma::engine {

// Where inside a JSON string, between its quotes, the output stands.
enum class StringPlace : uint8_t {
  kCharacter,  // a character, an escape or the closing quote comes next
  // Continuation bytes of UTF-8 that are missing; after some leads the next one's range is narrower.
  kTail1,
  kTail2,
  kTail3,
  kTailE0,
  kTailED,
  kTailF0,
  kTailF4,
  kEscape,  // behind a backslash
  // \uXXXX: hexadecimal digits that are missing.
  kHex4,
  kHex3,
  kHex2,
  kHex1,
  kHexD,  // behind "\uD": a surrogate or not
  // A high surrogate must be followed by a low one.
  kHigh2,
  kHigh1,
  kLowBackslash,
  kLowU,
  kLowD,
  kLowC,
  kOutside,  // before the opening quote
  kBad,
};

// One byte further, but for quotes at kCharacter, which end the string. A character is complete whenever kCharacter is
// reached.
StringPlace NextPlace(StringPlace place, uint8_t byte);

// A string of `min` to `max` characters (code points), or without an upper limit.
struct StringRule {
  static constexpr uint32_t kUnlimited = ~0U;
  uint32_t min = 0;
  uint32_t max = kUnlimited;

  // The state is the place and above it the characters so far; without an upper limit those are counted up to `min`.
  static LocalState Start() { return static_cast<LocalState>(StringPlace::kOutside); }
  static StringPlace PlaceOf(LocalState state) { return static_cast<StringPlace>(state & 0xFF); }

  LocalState Next(LocalState state, uint8_t byte) const {
    const StringPlace place = PlaceOf(state);
    uint64_t count = state >> 8;
    if (place == StringPlace::kOutside) {
      return byte == '"' ? static_cast<LocalState>(StringPlace::kCharacter) : kDeadState;
    }
    if (place == StringPlace::kCharacter) {
      if (byte == '"') return count >= min ? kDoneState : kDeadState;
      if (count == max) return kDeadState;
    }
    const StringPlace next = NextPlace(place, byte);
    if (next == StringPlace::kBad) return kDeadState;
    if (next == StringPlace::kCharacter && (max != kUnlimited || count < min)) ++count;
    return static_cast<LocalState>(next) | count << 8;
  }

  // How many unescaped characters may follow, whichever they are; 0 where something else is expected.
  uint32_t FreeCharacters(LocalState state) const {
    if (PlaceOf(state) != StringPlace::kCharacter) return 0;
    return max == kUnlimited ? kUnlimited : max - static_cast<uint32_t>(state >> 8);
  }
};

}  // namespace enigma::engine
