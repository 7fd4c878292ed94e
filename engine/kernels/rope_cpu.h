#pragma once

#include <cstddef>

namespace enigma::engine {

struct RopeKernels {
  // Rotates `heads` heads of one row in place, head_dim floats apart: `pairs` pairs from the start of each.
  using Row = void (*)(float* row, size_t heads, size_t head_dim, const float* cosines, const float* sines,
                       size_t pairs);
  Row adjacent;
  Row halves;
  // The same by the opposite angles.
  Row adjacent_back;
  Row halves_back;
};
const RopeKernels& CpuRopeKernels();

}  // namespace enigma::engine
