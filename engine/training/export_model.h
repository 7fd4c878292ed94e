#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/spec/dtype.h"
#include "engine/spec/gguf.h"
#include "engine/spec/model_spec.h"
#include "engine/spec/router_spec.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// What is exported; all of it borrowed.
struct TrainedModel {
  const ModelSpec& spec;
  const ParameterLayout& layout;       // of the spec
  const float* weights;                // [layout.floats()]
  const GgufMetadata& tokenizer;       // of which the keys "tokenizer.*" are taken
  const RouterSpec* router = nullptr;  // what makes a router of it; null: it is none
};

// Writes a GGUF file as llama.cpp and this engine read it, and returns its size in bytes. Matrices are stored as
// `type`, those whose rows are no whole blocks of it as q8_0 or f16; vectors are f32. The file is there whole or not at
// all. InvalidArgument where the vocabulary has not as many tokens as the spec says, or a weight is not finite;
// otherwise the errors of GgufWriter, which name path and bytes.
absl::StatusOr<uint64_t> ExportGguf(const TrainedModel& model, DType type, const std::string& path);

struct HuggingFaceExport {
  uint64_t bytes = 0;              // of all files
  std::vector<std::string> notes;  // what is not there and why, a sentence each
};

// Makes `folder`, which must not exist, as the transformers library reads it: model.safetensors (f32), config.json,
// generation_config.json and, of a byte-level BPE vocabulary, tokenizer.json and tokenizer_config.json. Rows of query
// and key of family "llama" go back to where that library has them. The folder is there whole or not at all.
// Unimplemented for a model that no configuration of that library describes (biases of a llama, rotation of a part of
// each head, divisors per pair).
absl::StatusOr<HuggingFaceExport> ExportHuggingFace(const TrainedModel& model, const std::string& folder);

// InvalidArgument as above; of both exports.
absl::Status CheckExportable(const TrainedModel& model);

}  // namespace enigma::engine
