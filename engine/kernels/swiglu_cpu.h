#pragma once

#include <cstddef>

namespace enigma::engine {

struct SwiGluKernels {
  void (*swiglu)(const float* gate, const float* up, size_t width, float* out);  // one row
  void (*add)(float* x, const float* y, size_t width);                           // x += y
};
const SwiGluKernels& CpuSwiGluKernels();

}  // namespace enigma::engine
