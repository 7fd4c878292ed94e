#pragma once

#include <cstdint>

#include "engine/spec/training_config.h"

namespace enigma::engine {

// The learning rate of a step (from 0), in double of IEEE operations and exact_math alone. Warm-up rises linearly and
// reaches the peak at its last step; then cosine or linear fall to the final share at the job's last step.
double LearningRateAt(const TrainingConfig& config, uint64_t step);

// 1 - beta^steps, by repeated squaring: the same bits on every machine.
double BiasCorrection(double beta, uint64_t steps);

}  // namespace enigma::engine
