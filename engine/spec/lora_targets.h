#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "engine/spec/training_config.h"

namespace enigma::engine {

// A matrix of every layer that LoRA can adapt: "blk.N.NAME.weight", [rows, cols].
struct LoraTarget {
  const char* name;
  uint64_t rows;
  uint64_t cols;  // the inner dimension
};

// All there are, in the order in which they lie in a layer.
std::vector<LoraTarget> LoraTargetsOf(const ModelSpec& spec);
// Those that a job adapts, in the same order, each once; none without LoRA.
std::vector<LoraTarget> LoraTargetsOf(const TrainingConfig& config);

// Of the tensors that a job trains: all of the model's, or the factors that LoRA adds.
uint64_t TrainedParameterCount(const TrainingConfig& config);

// InvalidArgument names a target that is none, and those there are.
absl::Status CheckLoraTargets(const std::vector<std::string>& targets);
// InvalidArgument for a target that is none, and for LoRA without targets, a base model or a weight above 0. OK
// without LoRA.
absl::Status CheckLora(const TrainingConfig& config);

}  // namespace enigma::engine
