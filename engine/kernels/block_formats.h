#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/kernels/dequantise.h"

namespace enigma::engine {

// Byte offsets within stored blocks (ggml-common.h), and the packing of K-quant scales.
//
// 32 elements:  Q4_0: d, 16 x nibbles     Q4_1: d, m, nibbles      value = (q - 8) d  |  q d + m
//               Q5_0: d, qh u32, nibbles  Q5_1: d, m, qh, nibbles  value = (q - 16) d |  q d + m
//               Q8_0: d, 32 x int8                                 value = q d
// Nibble byte i holds element i (low) and i + 16 (high); bit i of qh is the fifth bit of element i.
//
// 256 elements: Q4_K: d, dmin, 12 x scales, 128 x nibbles            value = q (d sc) - dmin m, per 32 elements
//               Q5_K: d, dmin, 12 x scales, 32 x qh, 128 x nibbles   likewise
//               Q6_K: 128 x low nibbles, 64 x high pairs, 16 x int8 scales, d   value = (q - 32) (d sc), per 16
inline constexpr size_t kQ4KScales = 4;
inline constexpr size_t kQ4KNibbles = 16;
inline constexpr size_t kQ5KHigh = 16;
inline constexpr size_t kQ5KNibbles = 48;
inline constexpr size_t kQ6KHigh = 128;
inline constexpr size_t kQ6KScales = 192;
inline constexpr size_t kQ6KD = 208;

inline uint16_t LoadU16(const uint8_t* p) {
  uint16_t v = 0;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
inline uint32_t LoadU32(const uint8_t* p) {
  uint32_t v = 0;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
inline void StoreU16(uint8_t* p, uint16_t v) { std::memcpy(p, &v, sizeof(v)); }
inline void StoreU32(uint8_t* p, uint32_t v) { std::memcpy(p, &v, sizeof(v)); }
inline float LoadHalf(const uint8_t* p) { return HalfToFloat(LoadU16(p)); }

// Scale and minimum (6 bits each) of sub-block `j` of eight, from the 12 bytes of Q4_K and Q5_K: the first four of each
// lie in the low 6 bits of bytes 0-3 and 4-7; the others have their low nibbles in bytes 8-11 and their top bits above
// the first four's.
inline void KScale(const uint8_t* packed, int j, uint8_t* scale, uint8_t* minimum) {
  if (j < 4) {
    *scale = packed[j] & 63;
    *minimum = packed[j + 4] & 63;
  } else {
    *scale = static_cast<uint8_t>((packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4));
    *minimum = static_cast<uint8_t>((packed[j + 4] >> 4) | ((packed[j] >> 6) << 4));
  }
}

}  // namespace enigma::engine
