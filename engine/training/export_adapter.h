#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "engine/spec/training_config.h"

namespace enigma::engine {

// Writes what LoRA trained as an adapter in GGUF, in the form that llama.cpp gives adapters: the factors in f32 under
// their names in ParameterLayout::OfJob, and alpha. `factors`: a state's weights. Returns the size in bytes; the file
// is there whole or not at all. InvalidArgument without LoRA or where a value is not finite; otherwise the errors of
// GgufWriter.
absl::StatusOr<uint64_t> ExportAdapter(const TrainingConfig& config, const float* factors, const std::string& path);

}  // namespace enigma::engine
