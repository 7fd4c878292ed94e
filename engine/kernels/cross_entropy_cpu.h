#pragma once

#include <cstddef>

namespace enigma::engine {

struct CrossEntropyKernels {
  // The largest of `vocab` logits, at least one; NaN where one of them is not finite.
  float (*largest)(const float* logits, size_t vocab);
  // The sum of Exp(logits[v] - largest).
  double (*sum)(const float* logits, float largest, size_t vocab);
  // The same, and the exponentials take the place of the logits.
  double (*exponentials)(float* logits, float largest, size_t vocab);
  void (*scale)(float* x, size_t width, float factor);
};
const CrossEntropyKernels& CpuCrossEntropyKernels();

}  // namespace enigma::engine
