#include "engine/kernels/adamw.h"

#include <cmath>

#include "engine/kernels/adamw_cpu.h"
#include "engine/kernels/check.h"

namespace enigma::engine {
namespace {

AdamWFactors Factors(const AdamWStep& step) {
  const double learning_rate = step.learning_rate;
  AdamWFactors factors{};
  factors.gradient_scale = step.gradient_scale;
  factors.beta1 = step.beta1;
  factors.beta2 = step.beta2;
  factors.fresh1 = 1.0F - step.beta1;
  factors.fresh2 = 1.0F - step.beta2;
  factors.kept = static_cast<float>(1 - learning_rate * static_cast<double>(step.weight_decay));
  factors.step_size = static_cast<float>(learning_rate / static_cast<double>(step.bias_correction1));
  factors.inverse_root2 = static_cast<float>(1 / std::sqrt(static_cast<double>(step.bias_correction2)));
  factors.epsilon = step.epsilon;
  return factors;
}

}  // namespace

void AdamW(const AdamWStep& step, const float* gradient, size_t count, float* parameters, float* first_moment,
           float* second_moment, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(step.bias_correction1 > 0 && step.bias_correction2 > 0 && step.epsilon > 0);
  const AdamWKernels& kernels = CpuAdamWKernels();
  const AdamWFactors factors = Factors(step);
  pool.ParallelFor(count, kSerialElements, [&](size_t begin, size_t end, int) {
    kernels.span(factors, gradient + begin, end - begin, parameters + begin, first_moment + begin,
                 second_moment + begin);
  });
}

}  // namespace enigma::engine
