#pragma once

#include <cstdint>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/checkpoint/safetensors.h"
#include "engine/checkpoint/safetensors_writer.h"
#include "engine/spec/manifest.h"
#include "engine/spec/product_precision.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// Id of the arithmetic that a state comes from and goes on with; docs/training.md defines them.
constexpr const char* TrainingContract(ProductPrecision precision) {
  return precision == ProductPrecision::kF32 ? "cpu-train-v1" : "cpu-train-bf16-v1";
}

// What a state belongs to.
struct JobIdentity {
  Sha256 config{};     // of the configuration's JSON
  Sha256 token_set{};  // TokenSet::hash()
  ProductPrecision precision = ProductPrecision::kF32;
};

// A training state as safetensors: F32 tensors "model.NAME", "adam.first.NAME" and "adam.second.NAME" for every
// parameter, the I32 tensor "exponents", and as metadata: format, contract, step, tokens, config_sha256,
// token_set_sha256. Every bit comes back.

uint64_t StateFileBytes(const TrainingState& state, const ParameterLayout& layout, const JobIdentity& job);

// Hands the file to `sink` in parts of at most 1 MiB that lie in the state itself (the head is one part more). An error
// is the sink's.
absl::Status WriteState(const TrainingState& state, const ParameterLayout& layout, const JobIdentity& job,
                        const ByteSink& sink);

// InvalidArgument where the file is no state of this layout; it names the file, the tensor and what differs.
// FailedPrecondition where it is one of another configuration, token set or contract: the job's data have changed.
absl::StatusOr<TrainingState> ReadState(const SafetensorsFile& file, const ParameterLayout& layout,
                                        const JobIdentity& job);

}  // namespace enigma::engine
