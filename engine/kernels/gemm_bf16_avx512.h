#pragma once

#include <cstddef>
#include <cstdint>

namespace enigma::engine {

// One tile of c: kGemmAvx512Rows x GemmPanels::kCols, all of them there; `start` has c's stride, null for zeros.
using Bf16Tile = void (*)(const uint32_t* tile, const uint32_t* stretch, size_t words, const float* start, float* c,
                          size_t c_stride);

// VDPBF16PS, which Highway does not know.
struct Bf16Avx512Tiles {
  Bf16Tile along;   // the tile holds rows
  Bf16Tile across;  // columns
};
// Null where this processor lacks the instruction, or has one that rounds otherwise than gemm.h says.
const Bf16Avx512Tiles* FindBf16Avx512Tiles();

}  // namespace enigma::engine
