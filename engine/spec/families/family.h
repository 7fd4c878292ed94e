#pragma once

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"
#include "engine/spec/model_spec.h"

namespace enigma::engine {

// A family of models: the value of general.architecture and the function that reads such a file's shape. One file per
// family; the table stands in model_spec.cc.
struct Family {
  const char* architecture;
  absl::StatusOr<ModelSpec> (*read)(const GgufFile& file);
};

absl::StatusOr<ModelSpec> ReadLlama(const GgufFile& file);
absl::StatusOr<ModelSpec> ReadQwen2(const GgufFile& file);
absl::StatusOr<ModelSpec> ReadQwen3(const GgufFile& file);

}  // namespace enigma::engine
