#include "engine/text/constraint/string_rule.h"

namespace enigma::engine {
namespace {

bool IsHex(uint8_t byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

// `place` if the condition holds.
StringPlace If(bool condition, StringPlace place) { return condition ? place : StringPlace::kBad; }

StringPlace NextOfCharacter(uint8_t byte) {
  if (byte < 0x20) return StringPlace::kBad;
  if (byte == '\\') return StringPlace::kEscape;
  if (byte < 0x80) return StringPlace::kCharacter;
  if (byte < 0xC2 || byte > 0xF4) return StringPlace::kBad;
  if (byte < 0xE0) return StringPlace::kTail1;
  if (byte == 0xE0) return StringPlace::kTailE0;
  if (byte == 0xED) return StringPlace::kTailED;
  if (byte < 0xF0) return StringPlace::kTail2;
  if (byte == 0xF0) return StringPlace::kTailF0;
  return byte == 0xF4 ? StringPlace::kTailF4 : StringPlace::kTail3;
}

StringPlace NextOfEscape(uint8_t byte) {
  switch (byte) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return StringPlace::kCharacter;
    case 'u':
      return StringPlace::kHex4;
    default:
      return StringPlace::kBad;
  }
}

StringPlace NextOfHexD(uint8_t byte) {
  if (byte >= '0' && byte <= '7') return StringPlace::kHex2;
  const uint8_t letter = byte | 0x20;
  return If(byte == '8' || byte == '9' || letter == 'a' || letter == 'b', StringPlace::kHigh2);
}

}  // namespace

StringPlace NextPlace(StringPlace place, uint8_t byte) {
  using enum StringPlace;
  const auto within = [byte](uint8_t low, uint8_t high) { return byte >= low && byte <= high; };
  switch (place) {
    case kCharacter:
      return NextOfCharacter(byte);
    case kTail1:
      return If(within(0x80, 0xBF), kCharacter);
    case kTail2:
      return If(within(0x80, 0xBF), kTail1);
    case kTail3:
      return If(within(0x80, 0xBF), kTail2);
    case kTailE0:
      return If(within(0xA0, 0xBF), kTail1);
    case kTailED:
      return If(within(0x80, 0x9F), kTail1);
    case kTailF0:
      return If(within(0x90, 0xBF), kTail2);
    case kTailF4:
      return If(within(0x80, 0x8F), kTail2);
    case kEscape:
      return NextOfEscape(byte);
    case kHex4:
      if ((byte | 0x20) == 'd') return kHexD;
      return If(IsHex(byte), kHex3);
    case kHex3:
      return If(IsHex(byte), kHex2);
    case kHex2:
      return If(IsHex(byte), kHex1);
    case kHex1:
      return If(IsHex(byte), kCharacter);
    case kHexD:
      return NextOfHexD(byte);
    case kHigh2:
      return If(IsHex(byte), kHigh1);
    case kHigh1:
      return If(IsHex(byte), kLowBackslash);
    case kLowBackslash:
      return If(byte == '\\', kLowU);
    case kLowU:
      return If(byte == 'u', kLowD);
    case kLowD:
      return If((byte | 0x20) == 'd', kLowC);
    case kLowC:
      return If(within('c', 'f') || within('C', 'F'), kHex2);
    case kOutside:
    case kBad:
      return kBad;
  }
  return kBad;
}

}  // namespace enigma::engine
