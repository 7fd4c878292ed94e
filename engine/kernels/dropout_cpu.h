#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace enigma::engine {

inline constexpr int kPhiloxRounds = 10;

// What the rows of one call have in common.
struct DropoutMask {
  std::array<std::array<uint32_t, 2>, kPhiloxRounds> keys;  // of each round
  std::array<uint32_t, 2> stream;                           // the counter's last two words
  int32_t threshold;                                        // 32 random bits below it, as a signed number: dropped
  float scale;                                              // of elements that are kept
};

struct DropoutKernels {
  // The counters of a row are (block, row_number, stream). Columns [32 g, 32 g + 32) take their bits from blocks
  // [8 g, 8 g + 8): column c from block 8 g + c mod 16 / 2, word c mod 2, or 2 + c mod 2 in the second half.
  void (*row)(const DropoutMask& mask, uint32_t row_number, size_t width, float* x);
};
const DropoutKernels& CpuDropoutKernels();

}  // namespace enigma::engine
