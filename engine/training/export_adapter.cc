#include "engine/training/export_adapter.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/gguf.h"
#include "engine/spec/gguf_writer.h"
#include "engine/training/parameters.h"

namespace enigma::engine {
namespace {

GgufMetadata AdapterMetadata(const TrainingConfig& config) {
  GgufMetadata metadata;
  metadata.Set("general.type", std::string("adapter"));
  metadata.Set("general.architecture", config.spec.architecture);
  if (!config.spec.name.empty()) metadata.Set("general.name", config.spec.name);
  metadata.Set("adapter.type", std::string("lora"));
  metadata.Set("adapter.lora.alpha", double{config.lora.alpha});
  return metadata;
}

}  // namespace

absl::StatusOr<uint64_t> ExportAdapter(const TrainingConfig& config, const float* factors, const std::string& path) {
  if (config.lora.rank == 0) return absl::InvalidArgumentError("a job that trains a whole model has no adapter");
  const ParameterLayout layout = ParameterLayout::OfJob(config);
  std::vector<TensorPlan> plan;
  for (const Parameter& parameter : layout.parameters()) {
    const float* values = factors + parameter.offset;
    if (!std::all_of(values, values + parameter.count, [](float value) { return std::isfinite(value); })) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", parameter.name, "' holds values that are not finite; such a model is not exported"));
    }
    plan.push_back({parameter.name, DType::kF32, parameter.shape});
  }
  ENIGMA_ASSIGN_OR_RETURN(const auto writer, GgufWriter::Create(path, AdapterMetadata(config), plan));
  for (const Parameter& parameter : layout.parameters()) {
    ENIGMA_RETURN_IF_ERROR(
        writer->Write({reinterpret_cast<const uint8_t*>(factors + parameter.offset), parameter.count * sizeof(float)}));
  }
  return writer->Finish();
}

}  // namespace enigma::engine
