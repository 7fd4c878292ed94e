#pragma once

#include <cstdint>

#include "engine/spec/training_config.h"

namespace enigma::engine {

// Bytes that a rank with this configuration needs: weights, moments, gradient, sums, packed weights, and activations of
// its largest slot.
uint64_t TrainingMemoryBytes(const TrainingConfig& config);

}  // namespace enigma::engine
