#pragma once

#include <cstddef>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.
struct AdamWStep {
  float learning_rate = 0;
  float beta1 = 0.9F;  // betas in [0, 1)
  float beta2 = 0.95F;
  float epsilon = 1e-8F;       // above 0
  float weight_decay = 0;      // 0 for norms and biases
  float bias_correction1 = 1;  // 1 - beta1^n at the n-th step
  float bias_correction2 = 1;  // 1 - beta2^n
  float gradient_scale = 1;    // what clipping, and the number of tokens in the step, make of a sum of gradients
};

// For each of `count` elements, with g = gradient * gradient_scale:
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
//   p = p (1 - learning_rate weight_decay) - learning_rate (m / bias_correction1) / (sqrt(v / bias_correction2) +
//   epsilon).
// Moments below the smallest normal float become 0. No span overlaps another. Each element's bits depend on its own
// inputs alone.
void AdamW(const AdamWStep& step, const float* gradient, size_t count, float* parameters, float* first_moment,
           float* second_moment, ThreadPool& pool);

}  // namespace enigma::engine
