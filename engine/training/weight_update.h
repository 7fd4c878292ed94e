#pragma once

#include <cstdint>
#include <span>

#include "engine/spec/training_config.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

struct WeightUpdate {
  double gradient_norm = 0;  // of the mean over tokens, before clipping
  double learning_rate = 0;
};

// One step of AdamW from the sums of a step over all ranks: a function of the sums and the state alone. `gradient` is
// memory of the layout's size. Counts the step, the tokens, and adapts the exponents; does nothing to the state where
// the norm is not finite.
WeightUpdate UpdateWeights(const TrainingConfig& config, const ParameterLayout& layout, std::span<const int64_t> sums,
                           uint64_t tokens, float* gradient, TrainingState& state, ThreadPool& pool);

}  // namespace enigma::engine
