#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"
#include "engine/spec/gguf_writer.h"
#include "engine/weights/weight_types.h"

namespace enigma::engine {

struct SynthShape {
  const char* name;
  const char* architecture;
  uint32_t layers, hidden, heads, kv_heads, head_dim, ffn, vocab, context;
  double rope_theta;
  bool tied;
};
std::span<const SynthShape> SynthShapes();

// Everything but the tokenizer's keys.
GgufMetadata SynthMetadata(const SynthShape& shape, const WeightType& type);
// In the order of the file.
std::vector<TensorPlan> SynthTensors(const SynthShape& shape, const WeightType& type);

// Adds a SentencePiece-like vocabulary of exactly `size` tokens (at least 259): <unk>, <s>, </s>, the 256 bytes, then
// printable characters, then made-up words, each one letter longer than another piece so that merging reaches it.
void AddSynthVocabulary(uint32_t size, GgufMetadata& metadata);

}  // namespace enigma::engine
