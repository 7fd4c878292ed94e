#pragma once

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"
#include "engine/spec/model_spec.h"

namespace enigma::engine {

// What the metadata of every decoder-only family says alike: sizes, heads, norm, rotary positions, under the keys
// "<architecture>.*". Layers are full attention with SwiGLU; the family sets what differs. Counts are checked against
// each other and against the tensor table before anything is allocated for them; a mixture of experts and per-layer
// sizes are refused by name.
absl::StatusOr<ModelSpec> ReadDecoderMetadata(const GgufFile& file);

// "<architecture>.attention.sliding_window": tokens a layer looks back on, itself included; 0 where the key is absent
// or the window holds the whole context.
absl::StatusOr<uint32_t> ReadSlidingWindow(const GgufFile& file, const ModelSpec& spec);

}  // namespace enigma::engine
