#include "coordinator/placement/model_shape.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "engine/spec/memory_estimate.h"

namespace enigma::coordinator {
namespace {

// A multiply and an add for each element of a layer's matrices.
double LayerFlops(const engine::GgufFile& head, uint32_t layer) {
  const std::string prefix = absl::StrCat("blk.", layer, ".");
  double elements = 0;
  for (const engine::TensorInfo& tensor : head.tensors()) {
    if (!absl::StartsWith(tensor.name, prefix) || tensor.shape.size() < 2) continue;
    double size = 1;
    for (const uint64_t extent : tensor.shape) size *= static_cast<double>(extent);
    elements += size;
  }
  return 2 * elements;
}

}  // namespace

absl::StatusOr<engine::KvType> KvTypeFromName(std::string_view name, const engine::GgufFile& head) {
  if (name.empty()) return engine::DefaultKvType(head);
  if (name == "f32") return engine::KvType::kF32;
  if (name == "f16") return engine::KvType::kF16;
  if (name == "bf16") return engine::KvType::kBF16;
  if (name == "q8") return engine::KvType::kQ8;
  return absl::InvalidArgumentError(absl::StrCat("kv_type '", ToAbsl(name), "' is none of f32, f16, bf16, q8"));
}

absl::StatusOr<WireType> WireTypeFromName(std::string_view name) {
  if (name.empty() || name == "f32") return WireType{static_cast<uint32_t>(engine::DType::kF32), 4};
  if (name == "f16") return WireType{static_cast<uint32_t>(engine::DType::kF16), 2};
  if (name == "bf16") return WireType{static_cast<uint32_t>(engine::DType::kBF16), 2};
  return absl::InvalidArgumentError(absl::StrCat("wire_type '", ToAbsl(name), "' is none of f32, f16, bf16"));
}

ModelShape ShapeOfModel(const engine::GgufFile& head, const engine::ModelSpec& spec, engine::KvType kv_type,
                        uint32_t context, uint32_t wire_element_bytes) {
  ModelShape shape;
  for (uint32_t layer = 0; layer < spec.layer_count(); ++layer) {
    shape.layers.push_back({engine::LayerWeightBytes(head, layer), LayerFlops(head, layer)});
  }
  shape.output.bytes = engine::OutputWeightBytes(head, spec);
  shape.kv_block_bytes = engine::KvBlockLayerBytes(spec, kv_type);
  shape.wire_row_bytes = uint64_t{spec.hidden} * wire_element_bytes;

  const auto workspace = [&](uint32_t first, uint32_t last) {
    engine::StageMemoryOptions options;
    options.first_layer = first;
    options.last_layer = last;
    options.context = context;
    options.kv_type = kv_type;
    return engine::EstimateStageMemory(head, spec, options).workspace;
  };
  const uint32_t layers = spec.layer_count();
  shape.workspace_whole = workspace(0, layers);
  // Which layers a stage has does not change its workspace, only whether it is first or last.
  shape.workspace_first = layers > 1 ? workspace(0, 1) : shape.workspace_whole;
  shape.workspace_last = layers > 1 ? workspace(layers - 1, layers) : shape.workspace_whole;
  shape.workspace_middle = layers > 2 ? workspace(1, 2) : shape.workspace_first;
  return shape;
}

}  // namespace enigma::coordinator
