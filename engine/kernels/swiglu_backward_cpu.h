#pragma once

#include <cstddef>

namespace enigma::engine {

struct SwiGluBackwardKernels {
  void (*row)(const float* d_out, const float* gate, const float* up, size_t width, float* d_gate, float* d_up,
              float* out);
};
const SwiGluBackwardKernels& CpuSwiGluBackwardKernels();

}  // namespace enigma::engine
