#pragma once

#include <cstddef>

namespace enigma::engine {

// What the elements of a step have in common, made of AdamWStep in double and rounded once.
struct AdamWFactors {
  float gradient_scale;
  float beta1;
  float beta2;
  float fresh1;         // 1 - beta1
  float fresh2;         // 1 - beta2
  float kept;           // 1 - learning_rate * weight_decay
  float step_size;      // learning_rate / bias_correction1
  float inverse_root2;  // 1 / sqrt(bias_correction2)
  float epsilon;
};

struct AdamWKernels {
  void (*span)(const AdamWFactors& factors, const float* gradient, size_t count, float* parameters, float* first_moment,
               float* second_moment);
};
const AdamWKernels& CpuAdamWKernels();

}  // namespace enigma::engine
