#pragma once

#include <cstdint>
#include <string_view>

#include <absl/status/statusor.h>

#include "coordinator/placement/problem.h"
#include "engine/spec/gguf.h"
#include "engine/spec/kv_type.h"
#include "engine/spec/model_spec.h"

namespace enigma::coordinator {

// "f32", "f16", "bf16", "q8"; "" is the engine's own choice for the file.
absl::StatusOr<engine::KvType> KvTypeFromName(std::string_view name, const engine::GgufFile& head);

// What hidden states travel as; the numbers are GGUF's types, as LoadStageRequest.wire_dtype has them.
struct WireType {
  uint32_t gguf_type = 0;
  uint32_t element_bytes = 4;
};
// "", "f32", "f16", "bf16".
absl::StatusOr<WireType> WireTypeFromName(std::string_view name);

ModelShape ShapeOfModel(const engine::GgufFile& head, const engine::ModelSpec& spec, engine::KvType kv_type,
                        uint32_t context, uint32_t wire_element_bytes);

}  // namespace enigma::coordinator
