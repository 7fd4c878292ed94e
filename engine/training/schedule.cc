#include "engine/training/schedule.h"

#include <algorithm>

#include "engine/kernels/exact_math.h"

namespace enigma::engine {
namespace {

constexpr double kPi = 0x1.921fb54442d18p+1;

double FallingCosine(double done) {
  double sine = 0;
  double cosine = 0;
  ExactSinCos(kPi * done, &sine, &cosine);
  return 0.5 * (1.0 + cosine);
}

}  // namespace

double LearningRateAt(const TrainingConfig& config, uint64_t step) {
  if (step < config.warmup_steps) {
    return config.learning_rate * (static_cast<double>(step + 1) / static_cast<double>(config.warmup_steps));
  }
  if (config.schedule == LearningRateSchedule::kConstant || config.steps <= config.warmup_steps + 1) {
    return config.learning_rate;
  }
  const auto last = static_cast<double>(config.steps - config.warmup_steps - 1);
  const double done = std::min(static_cast<double>(step - config.warmup_steps) / last, 1.0);
  const double left = config.schedule == LearningRateSchedule::kCosine ? FallingCosine(done) : 1.0 - done;
  const double least = config.learning_rate * config.final_learning_rate;
  return least + (config.learning_rate - least) * left;
}

double BiasCorrection(double beta, uint64_t steps) {
  double power = 1;
  for (double factor = beta; steps > 0; steps >>= 1, factor *= factor) {
    if (steps & 1) power *= factor;
  }
  return 1 - power;
}

}  // namespace enigma::engine
