#pragma once

#include <cstdint>

#include "engine/spec/training_config.h"

namespace enigma::engine {

// Bytes that a rank with this configuration needs: weights, moments, gradient, sums, packed weights, a copy of the
// state, and activations of its largest slot, once. With LoRA moments and sums are those of the factors alone, and
// targets are there once more, as they were.
uint64_t TrainingMemoryBytes(const TrainingConfig& config);

// Bytes that every further thread of a rank needs of its own, to compute slots beside the others: activations and a
// gradient. Threads do so where it is at most kTrainingLaneBytesMax.
uint64_t TrainingLaneBytes(const TrainingConfig& config);
inline constexpr uint64_t kTrainingLaneBytesMax = uint64_t{64} << 20;

}  // namespace enigma::engine
