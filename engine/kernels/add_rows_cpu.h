#pragma once

#include <algorithm>
#include <cstddef>

namespace enigma::engine {

struct AddRowsKernels {
  // sums[i] += x[0][i], then x[1][i], and so on; x: [rows, width], row stride in floats.
  void (*add)(const float* x, size_t stride, size_t rows, size_t width, float* sums);
};
const AddRowsKernels& CpuAddRowsKernels();

// Columns of one task where threads share out columns, so that each sum has one order: four tasks per thread, but whole
// cache lines, and not so few that tables of pages cost more than what they lead to.
inline size_t ColumnsPerTask(size_t width, int threads) {
  constexpr size_t kLeast = 64;
  const size_t share = width / (4 * static_cast<size_t>(threads));
  return std::max(kLeast, share / kLeast * kLeast);
}

}  // namespace enigma::engine
