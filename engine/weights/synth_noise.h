#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "engine/spec/dtype.h"

namespace enigma::engine {

// Standard deviation of synthetic weights.
inline constexpr float kSynthDeviation = 0.02F;

// Fills `out` with element `first`, `first + 1`, ... of the noise of (seed, stream): mean 0, deviation kSynthDeviation.
void FillNoise(uint64_t seed, uint32_t stream, uint64_t first, std::span<float> out);

// Rows of stored random weights. Small models get every weight drawn for itself; for large ones a pool of weights is
// drawn and stored once per type, and rows are laid together from runs of it at drawn places, which goes at memory
// speed. Within a tensor no two rows of two runs or more are alike.
class NoiseRows {
 public:
  NoiseRows(uint64_t seed, bool pooled) : seed_(seed), pooled_(pooled) {}

  // Stored bytes of rows [first, first + count) of tensor `number`, each of `row` elements.
  void Fill(DType type, uint32_t number, uint64_t row, uint64_t first, uint64_t count, std::span<uint8_t> out);

 private:
  void FillDrawn(DType type, uint32_t number, uint64_t row, uint64_t first, uint64_t count, std::span<uint8_t> out);
  void FillPooled(DType type, uint32_t number, uint64_t row, uint64_t first, uint64_t count, std::span<uint8_t> out);
  const std::vector<uint8_t>& Pool(DType type);

  const uint64_t seed_;
  const bool pooled_;
  std::vector<float> drawn_;
  std::map<DType, std::vector<uint8_t>> pools_;
};

}  // namespace enigma::engine
