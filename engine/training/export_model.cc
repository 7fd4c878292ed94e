#include "engine/training/export_model.h"

#include <memory>
#include <span>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/gguf_encode.h"
#include "engine/spec/gguf_writer.h"
#include "engine/text/tokenizer_file.h"
#include "engine/training/export_tensors.h"
#include "engine/weights/weight_types.h"

namespace enigma::engine {
namespace {

// general.file_type (llama_ftype).
uint64_t FileTypeOf(DType type) {
  for (const WeightType& known : WeightTypes()) {
    if (known.type == type && !known.mixed) return known.file_type;
  }
  return 0;
}

void SetRopeScaling(const RopeSpec& rope, const std::string& prefix, GgufMetadata& metadata) {
  static constexpr const char* kNames[] = {"none", "linear", "yarn", "llama3"};
  if (rope.scaling == RopeScaling::kNone) return;
  metadata.Set(prefix + "rope.scaling.type", std::string(kNames[static_cast<size_t>(rope.scaling)]));
  metadata.Set(prefix + "rope.scaling.factor", rope.factor);
  metadata.Set(prefix + "rope.scaling.original_context_length", uint64_t{rope.original_context});
}

// The keys are those that convert_hf_to_gguf.py of llama.cpp writes for these families.
GgufMetadata ModelMetadata(const TrainedModel& model, DType type) {
  const ModelSpec& spec = model.spec;
  GgufMetadata metadata;
  metadata.Set("general.architecture", spec.architecture);
  metadata.Set("general.type", std::string("model"));
  if (!spec.name.empty()) metadata.Set("general.name", spec.name);
  metadata.Set("general.file_type", FileTypeOf(type));
  metadata.Set("general.quantization_version", uint64_t{2});
  const std::string prefix = spec.architecture + ".";
  const auto size = [&](const char* suffix, uint32_t value) { metadata.Set(prefix + suffix, uint64_t{value}); };
  size("vocab_size", spec.vocab);
  size("context_length", spec.context);
  size("embedding_length", spec.hidden);
  size("block_count", spec.layer_count());
  size("feed_forward_length", spec.ffn);
  size("attention.head_count", spec.heads);
  size("attention.head_count_kv", spec.kv_heads);
  size("attention.key_length", spec.head_dim);
  size("attention.value_length", spec.head_dim);
  size("rope.dimension_count", spec.rope.dimensions);
  metadata.Set(prefix + "rope.freq_base", spec.rope.theta);
  metadata.Set(prefix + "attention.layer_norm_rms_epsilon", double{spec.norm_epsilon});
  SetRopeScaling(spec.rope, prefix, metadata);
  if (spec.layers[0].attention == AttentionKind::kWindowed) size("attention.sliding_window", spec.layers[0].window);
  CopyTokenizerKeys(model.tokenizer, metadata);
  if (model.router != nullptr) SetRouterKeys(*model.router, metadata);
  return metadata;
}

}  // namespace

absl::Status CheckExportable(const TrainedModel& model) {
  const auto tokens = model.tokenizer.Array("tokenizer.ggml.tokens");
  if (!tokens.ok()) return tokens.status();
  if ((*tokens)->strings.size() != model.spec.vocab) {
    return absl::InvalidArgumentError(
        absl::StrCat("the vocabulary has ", (*tokens)->strings.size(), " tokens, the model ", model.spec.vocab));
  }
  return CheckFinite(model.layout.parameters(), model.weights);
}

absl::StatusOr<uint64_t> ExportGguf(const TrainedModel& model, DType type, const std::string& path) {
  ENIGMA_RETURN_IF_ERROR(CheckExportable(model));
  const std::vector<float>& factors = model.spec.rope.frequency_factors;
  std::vector<TensorPlan> plan;
  if (!factors.empty()) plan.push_back({kRopeFactorsTensor, DType::kF32, {factors.size()}});
  for (const Parameter& parameter : model.layout.parameters()) {
    plan.push_back({parameter.name, StoredType(parameter, type), parameter.shape});
  }
  ENIGMA_ASSIGN_OR_RETURN(const auto writer, GgufWriter::Create(path, ModelMetadata(model, type), plan));
  ENIGMA_RETURN_IF_ERROR(WriteFloats(factors.data(), factors.size(), DType::kF32, *writer));
  for (const Parameter& parameter : model.layout.parameters()) {
    ENIGMA_RETURN_IF_ERROR(
        WriteFloats(model.weights + parameter.offset, parameter.count, StoredType(parameter, type), *writer));
  }
  return writer->Finish();
}

}  // namespace enigma::engine
