#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/spec/dtype.h"

namespace enigma::engine {

// How a panel of 16 rows lies in memory. Element types that are not quantised: [cols][16] elements. Quantised ones: a
// row of units, each of `blocks` blocks of 32 columns, multiples of 64 bytes, whose parts are at the offsets below.
//
// A unit begins with its scales; the codes of its blocks follow, all parts of a block together, so that a panel is read
// from its first byte to its last. Codes of a block: groups j = 0..7 of 4 columns; a vector of 64 bytes holds columns
// 4j..4j+3 of row r at bytes 4r..4r+3.
//   q8: eight such vectors.
//   nibbles: four vectors; vector c holds group c in its low nibbles and group c + 4 in its high ones.
//   high (5-bit types): one vector, whose bit j is the fifth bit of group j.
//   high2 (Q6_K): two vectors; vector h has bits 4-5 of group 4h + i at bits 2i, 2i + 1.
struct PanelLayout {
  size_t blocks = 0;         // per unit
  size_t scales = 0;         // f16 d[block][16] (Q4_0..Q8_0), f16 d[16] (Q4_K, Q5_K), f32 d[16] (Q6_K)
  size_t minima = 0;         // f16 m[block][16] (Q4_1, Q5_1), f16 dmin[16] (Q4_K, Q5_K)
  size_t sub_scales = 0;     // u8 sc[block][2][16]: scale, minimum (Q4_K, Q5_K); i8 sc[block][16][half] (Q6_K)
  size_t codes = 0;          // of the first block
  size_t high = 0;           // likewise
  size_t block_bytes = 256;  // from a block's codes to the next one's
  size_t bytes = 0;
};

constexpr PanelLayout LayoutOf(DType type) {
  switch (type) {
    case DType::kQ8_0:
      return {.blocks = 2, .codes = 64, .block_bytes = 512, .bytes = 1088};
    case DType::kQ4_0:
      return {.blocks = 2, .codes = 64, .bytes = 576};
    case DType::kQ4_1:
      return {.blocks = 2, .minima = 64, .codes = 128, .bytes = 640};
    case DType::kQ5_0:
      return {.blocks = 2, .codes = 64, .high = 320, .block_bytes = 320, .bytes = 704};
    case DType::kQ5_1:
      return {.blocks = 2, .minima = 64, .codes = 128, .high = 384, .block_bytes = 320, .bytes = 768};
    case DType::kQ4_K:
      return {.blocks = 8, .minima = 32, .sub_scales = 64, .codes = 320, .bytes = 2368};
    case DType::kQ5_K:
      return {
          .blocks = 8, .minima = 32, .sub_scales = 64, .codes = 320, .high = 576, .block_bytes = 320, .bytes = 2880};
    case DType::kQ6_K:
      return {.blocks = 8, .sub_scales = 64, .codes = 320, .high = 576, .block_bytes = 384, .bytes = 3392};
    default:
      return {};  // not quantised
  }
}

constexpr bool IsQuantised(DType type) { return LayoutOf(type).blocks != 0; }

// Bytes of a panel; a last unit that is not full is padded.
constexpr uint64_t PanelBytes(DType type, uint64_t cols) {
  const PanelLayout layout = LayoutOf(type);
  if (layout.blocks == 0) return cols * 16 * (type == DType::kF32 ? 4 : 2);
  return (cols / 32 + layout.blocks - 1) / layout.blocks * layout.bytes;
}

}  // namespace enigma::engine
