#include "engine/training/weight_update.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/adamw.h"
#include "engine/kernels/fixed_point.h"
#include "engine/training/gradient_sums.h"
#include "engine/training/schedule.h"

namespace enigma::engine {
namespace {

double NormOf(const ParameterLayout& layout, std::span<const int64_t> sums, std::span<const int32_t> exponents,
              ThreadPool& pool) {
  double squares = 0;
  for (size_t i = 0; i < exponents.size(); ++i) {
    const Parameter& p = layout.parameters()[i];
    squares += SumOfSquares(sums.data() + p.offset, p.count, exponents[i], pool);
  }
  return std::sqrt(squares);
}

}  // namespace

WeightUpdate UpdateWeights(const TrainingConfig& config, const ParameterLayout& layout, std::span<const int64_t> sums,
                           uint64_t tokens, float* gradient, TrainingState& state, ThreadPool& pool) {
  const double share = 1.0 / static_cast<double>(std::max<uint64_t>(tokens, 1));
  WeightUpdate update = {.gradient_norm = NormOf(layout, sums, state.exponents, pool) * share,
                         .learning_rate = LearningRateAt(config, state.step)};
  if (!std::isfinite(update.gradient_norm)) return update;
  double scale = share;
  if (config.clip_norm > 0 && update.gradient_norm > config.clip_norm) scale *= config.clip_norm / update.gradient_norm;

  AdamWStep step;
  step.learning_rate = static_cast<float>(update.learning_rate);
  step.beta1 = static_cast<float>(config.beta1);
  step.beta2 = static_cast<float>(config.beta2);
  step.epsilon = static_cast<float>(config.epsilon);
  step.bias_correction1 = static_cast<float>(BiasCorrection(config.beta1, state.step + 1));
  step.bias_correction2 = static_cast<float>(BiasCorrection(config.beta2, state.step + 1));
  step.gradient_scale = static_cast<float>(scale);
  for (size_t i = 0; i < layout.parameters().size(); ++i) {
    const Parameter& p = layout.parameters()[i];
    step.weight_decay = p.decays ? static_cast<float>(config.weight_decay) : 0.0F;
    FromFixedPoint(sums.data() + p.offset, p.count, state.exponents[i], gradient + p.offset, pool);
    AdamW(step, gradient + p.offset, p.count, state.weights.data() + p.offset, state.first_moments.data() + p.offset,
          state.second_moments.data() + p.offset, pool);
  }
  AdaptExponents(layout, sums, state.exponents, pool);
  ++state.step;
  state.tokens += tokens;
  return update;
}

}  // namespace enigma::engine
