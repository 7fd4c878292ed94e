#pragma once

#include <cstddef>

namespace enigma::engine {

struct AddRowsKernels {
  // sums[i] += x[0][i], then x[1][i], and so on; x: [rows, width], row stride in floats.
  void (*add)(const float* x, size_t stride, size_t rows, size_t width, float* sums);
};
const AddRowsKernels& CpuAddRowsKernels();

}  // namespace enigma::engine
