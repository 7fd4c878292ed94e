#include "engine/training/export_encoder.h"

#include <span>
#include <vector>

#include "base/status_macros.h"
#include "engine/spec/gguf_writer.h"
#include "engine/training/export_tensors.h"

namespace enigma::engine {

absl::StatusOr<uint64_t> ExportEncoderGguf(const VisionSpec& spec, const ParameterLayout& layout, const float* weights,
                                           DType type, const std::string& path) {
  // They come first, in the order of the file.
  std::vector<TensorPlan> plan = VisionTensors(spec);
  const std::span<const Parameter> parameters(layout.parameters().data(), plan.size());
  ENIGMA_RETURN_IF_ERROR(CheckFinite(parameters, weights));
  for (size_t i = 0; i < plan.size(); ++i) plan[i].type = StoredType(parameters[i], type);
  ENIGMA_ASSIGN_OR_RETURN(const auto writer, GgufWriter::Create(path, VisionMetadata(spec), plan));
  for (size_t i = 0; i < plan.size(); ++i) {
    ENIGMA_RETURN_IF_ERROR(WriteFloats(weights + parameters[i].offset, parameters[i].count, plan[i].type, *writer));
  }
  return writer->Finish();
}

}  // namespace enigma::engine
