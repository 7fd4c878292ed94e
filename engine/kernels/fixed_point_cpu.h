#pragma once

#include <cstddef>
#include <cstdint>

namespace enigma::engine {

// Operators of fixed_point.h over one span; `scale` is a power of two.
struct FixedPointKernels {
  uint64_t (*add)(const float* values, size_t count, double scale, int64_t* sums);
  void (*to_floats)(const int64_t* sums, size_t count, double scale, float* values);
  double (*squares)(const int64_t* sums, size_t count, double scale);  // in sixteen parts
  uint64_t (*largest)(const int64_t* sums, size_t count);
};
const FixedPointKernels& CpuFixedPointKernels();

}  // namespace enigma::engine
