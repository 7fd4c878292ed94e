#pragma once

#include <cstdint>

#include "engine/spec/training_config.h"

namespace enigma::engine {

// Bytes that a rank with this configuration needs: weights, moments, gradient, sums, packed weights, and activations of
// its largest slot. With LoRA moments and sums are those of the factors alone, and targets are there once more, as
// they were.
uint64_t TrainingMemoryBytes(const TrainingConfig& config);

}  // namespace enigma::engine
