#pragma once

#include <cstddef>

namespace enigma::engine {

struct RopeKernels {
  // Rotates one head in place; `pairs` pairs from its start.
  void (*adjacent)(float* head, const float* cosines, const float* sines, size_t pairs);
  void (*halves)(float* head, const float* cosines, const float* sines, size_t pairs);
};
const RopeKernels& CpuRopeKernels();

}  // namespace enigma::engine
