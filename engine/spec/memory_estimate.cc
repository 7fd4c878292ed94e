#include "engine/spec/memory_estimate.h"

#include <algorithm>
#include <string>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

namespace enigma::engine {
namespace {

constexpr uint64_t kPanelRows = 16;      // rows of a packed matrix come in panels of this many
constexpr uint64_t kKvBlockTokens = 32;  // tokens of a KV block

uint64_t PartsOf(uint64_t value, uint64_t part) { return (value + part - 1) / part; }

// Sixteen packed rows are a sequence of units; engine/kernels/panel_layout.h lays them out.
struct PackedUnit {
  uint64_t columns;
  uint64_t bytes;
};

PackedUnit UnitOf(DType type) {
  switch (type) {
    case DType::kF32:
      return {1, 64};
    case DType::kF16:
    case DType::kBF16:
      return {1, 32};
    case DType::kQ8_0:
      return {64, 1088};
    case DType::kQ4_0:
      return {64, 576};
    case DType::kQ4_1:
      return {64, 640};
    case DType::kQ5_0:
      return {64, 704};
    case DType::kQ5_1:
      return {64, 768};
    case DType::kQ4_K:
      return {256, 2368};
    case DType::kQ5_K:
      return {256, 2880};
    case DType::kQ6_K:
      return {256, 3392};
  }
  return {1, 64};
}

uint64_t TensorWeightBytes(const TensorInfo& tensor) {
  if (tensor.shape.size() < 2) return (tensor.shape.empty() ? 0 : tensor.shape[0]) * sizeof(float);
  return PackedWeightBytes(tensor.type, tensor.shape[1], tensor.shape[0]);
}

uint64_t WorkspaceBytes(const ModelSpec& spec, const StageMemoryOptions& options, bool last_stage) {
  const uint64_t attention = uint64_t{spec.heads} * spec.head_dim;
  const uint64_t kv = uint64_t{spec.kv_heads} * spec.head_dim;
  const uint64_t row_floats = 3 * uint64_t{spec.hidden} + 2 * attention + 2 * kv + 2 * uint64_t{spec.ffn};
  const uint64_t widest = std::max({uint64_t{spec.hidden}, attention, uint64_t{spec.ffn}});
  // The widest row once quantised for products: chunks of 512 elements in 768 bytes (ActivationChunk).
  const uint64_t quantised = PartsOf(widest, 512) * 768;
  const uint64_t context = options.context == 0 ? spec.context : options.context;
  const uint64_t positions = std::min(context, options.kv_blocks * kKvBlockTokens);
  uint64_t bytes = options.max_rows * (row_floats * sizeof(float) + quantised);
  bytes += positions * spec.rope.dimensions * sizeof(float);
  if (last_stage) {
    bytes += std::min(options.max_logit_rows, options.max_rows) * (uint64_t{spec.hidden} + spec.vocab) * sizeof(float);
  }
  return bytes;
}

}  // namespace

uint64_t PackedWeightBytes(DType type, uint64_t rows, uint64_t cols) {
  const PackedUnit unit = UnitOf(type);
  return PartsOf(rows, kPanelRows) * PartsOf(cols, unit.columns) * unit.bytes;
}

uint64_t LayerWeightBytes(const GgufFile& head, uint32_t layer) {
  const std::string prefix = absl::StrCat("blk.", layer, ".");
  uint64_t bytes = 0;
  for (const TensorInfo& tensor : head.tensors()) {
    if (absl::StartsWith(tensor.name, prefix)) bytes += TensorWeightBytes(tensor);
  }
  return bytes;
}

uint64_t OutputWeightBytes(const GgufFile& head, const ModelSpec& spec) {
  uint64_t bytes = uint64_t{spec.hidden} * sizeof(float);
  const TensorInfo* product = head.FindTensor(spec.tied_embeddings ? "token_embd.weight" : "output.weight");
  if (product != nullptr) bytes += TensorWeightBytes(*product);
  return bytes;
}

uint64_t KvBlockLayerBytes(const ModelSpec& spec, KvType type) {
  const uint64_t tokens_heads = kKvBlockTokens * spec.kv_heads;
  const uint64_t values = 2 * tokens_heads * spec.head_dim;
  switch (type) {
    case KvType::kF32:
      return values * 4;
    case KvType::kF16:
    case KvType::kBF16:
      return values * 2;
    case KvType::kQ8:
      return values + 2 * tokens_heads * sizeof(float);
  }
  return 0;
}

StageMemory EstimateStageMemory(const GgufFile& head, const ModelSpec& spec, const StageMemoryOptions& options) {
  const uint32_t last = options.last_layer == 0 ? spec.layer_count() : options.last_layer;
  const bool last_stage = last == spec.layer_count();
  StageMemory memory;
  for (uint32_t layer = options.first_layer; layer < last; ++layer) memory.weights += LayerWeightBytes(head, layer);
  if (last_stage) memory.weights += OutputWeightBytes(head, spec);
  memory.kv = KvBlockLayerBytes(spec, options.kv_type) * options.kv_blocks * (last - options.first_layer);
  memory.workspace = WorkspaceBytes(spec, options, last_stage);
  return memory;
}

KvType DefaultKvType(const GgufFile& head) {
  const bool all_f32 = std::all_of(head.tensors().begin(), head.tensors().end(), [](const TensorInfo& tensor) {
    return tensor.shape.size() < 2 || tensor.type == DType::kF32;
  });
  return all_f32 ? KvType::kF32 : KvType::kF16;
}

}  // namespace enigma::engine
