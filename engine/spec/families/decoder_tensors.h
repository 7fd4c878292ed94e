#pragma once

#include <absl/status/status.h>

#include "engine/spec/gguf.h"
#include "engine/spec/model_spec.h"

namespace enigma::engine {

// Holds the tensor table against the spec: every tensor that the stages will ask for (per spec.qkv_bias, spec.qk_norm,
// spec.tied_embeddings) exists with its shape, and the file has no tensor that the stages would silently leave out.
absl::Status CheckDecoderTensors(const GgufFile& file, const ModelSpec& spec);

}  // namespace enigma::engine
