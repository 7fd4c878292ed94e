#pragma once

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "engine/spec/gguf.h"
#include "engine/spec/model_spec.h"

namespace enigma::engine {

// config.json of the transformers library for a model's shape. Unimplemented, with the reason, where that library
// cannot describe it. Special ids come from the keys "tokenizer.ggml.*".
absl::StatusOr<nlohmann::ordered_json> HuggingFaceConfig(const ModelSpec& spec, const GgufMetadata& tokenizer);

// generation_config.json: where a text begins and what ends it.
nlohmann::ordered_json HuggingFaceGenerationConfig(const GgufMetadata& tokenizer);

}  // namespace enigma::engine
