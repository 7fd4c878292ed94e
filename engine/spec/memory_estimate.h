#pragma once

#include <cstdint>

#include "engine/spec/gguf.h"
#include "engine/spec/kv_type.h"
#include "engine/spec/model_spec.h"

namespace enigma::engine {

// What a CPU stage will occupy, from the head of a model file alone: placement decides with these numbers before any
// weight is read. tests/unit/engine/model holds them against real stages. All in bytes.

// One matrix of `rows` rows of `cols` elements as kernels read it.
uint64_t PackedWeightBytes(DType type, uint64_t rows, uint64_t cols);

// Packed weights of one layer.
uint64_t LayerWeightBytes(const GgufFile& head, uint32_t layer);

// Packed output head and its norm: the last stage's share besides its layers. The embedding costs nothing packed: its
// rows are read from the mapped file.
uint64_t OutputWeightBytes(const GgufFile& head, const ModelSpec& spec);

// One KV block of 32 tokens in one layer.
uint64_t KvBlockLayerBytes(const ModelSpec& spec, KvType type);

struct StageMemory {
  uint64_t weights = 0;
  uint64_t kv = 0;
  uint64_t workspace = 0;  // buffers of a step, rotation table, logits
  uint64_t total() const { return weights + kv + workspace; }
};

struct StageMemoryOptions {
  uint32_t first_layer = 0;
  uint32_t last_layer = 0;  // exclusive; 0: all layers
  uint32_t kv_blocks = 64;  // of 32 tokens each
  uint32_t context = 0;     // tokens; 0: the model's own
  KvType kv_type = KvType::kF16;
  uint32_t max_rows = 512;
  uint32_t max_logit_rows = 128;
};

StageMemory EstimateStageMemory(const GgufFile& head, const ModelSpec& spec, const StageMemoryOptions& options);

// f32 where the model's weights are f32, so that nothing is rounded that need not be; else f16.
KvType DefaultKvType(const GgufFile& head);

}  // namespace enigma::engine
