#pragma once

#include <cstdint>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "engine/spec/gguf.h"

namespace enigma::engine {

// A byte-level BPE vocabulary (keys "tokenizer.ggml.*" with model "gpt2") as the tokenizers library's tokenizer.json.
// Unimplemented, with the reason, for another kind of vocabulary or a pre-tokenizer that is not known.
absl::StatusOr<nlohmann::ordered_json> HuggingFaceTokenizer(const GgufMetadata& tokenizer);

// tokenizer_config.json, with the chat template where there is one. `context`: tokens of the longest text.
nlohmann::ordered_json HuggingFaceTokenizerConfig(const GgufMetadata& tokenizer, uint32_t context);

}  // namespace enigma::engine
