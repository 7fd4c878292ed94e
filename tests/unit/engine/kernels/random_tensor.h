#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "engine/kernels/dequantise.h"
#include "engine/spec/dtype.h"

namespace enigma::engine {

// Normal numbers of the given deviation; the same for the same seed.
inline std::vector<float> NormalFloats(size_t count, uint32_t seed, float deviation = 1.0F) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0F, deviation);
  std::vector<float> out(count);
  for (float& v : out) v = normal(generator);
  return out;
}

struct StoredMatrix {
  DType type;
  size_t rows;
  size_t cols;
  std::vector<uint8_t> stored;
  std::vector<float> values;  // what `stored` stands for
};

inline StoredMatrix RandomMatrix(DType type, size_t rows, size_t cols, uint32_t seed) {
  StoredMatrix m{type, rows, cols, {}, {}};
  std::vector<float> source = NormalFloats(rows * cols, seed, 0.05F);
  // An offset, so that formats with minima have something to hold.
  for (size_t i = 0; i < source.size(); ++i) source[i] += static_cast<float>(i / 64 % 3) * 0.02F;
  m.stored.resize(rows * RowBytes(type, cols));
  Quantise(type, source.data(), source.size(), m.stored.data());
  m.values.resize(source.size());
  Dequantise(type, m.stored.data(), m.values.size(), m.values.data());
  return m;
}

inline const std::vector<DType>& AllTypes() {
  static const std::vector<DType> types = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ4_0,
                                           DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                                           DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
  return types;
}

}  // namespace enigma::engine
