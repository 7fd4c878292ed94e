#include "engine/weights/quantise_model.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/kernels/dequantise.h"
#include "engine/spec/gguf.h"
#include "engine/spec/gguf_cursor.h"
#include "engine/spec/gguf_encode.h"
#include "engine/spec/gguf_writer.h"
#include "engine/weights/weight_types.h"

namespace enigma::engine {
namespace {

// Elements that are converted at a time: whole rows, about so many.
constexpr uint64_t kPartElements = uint64_t{1} << 18;

absl::StatusOr<WeightType> PlainWeightType(std::string_view name) {
  for (const WeightType& type : WeightTypes()) {
    if (name == type.name && !type.mixed) return type;
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no type '", ToAbsl(name), "' to quantise to; these are: ",
                                                 absl::StrJoin(PlainWeightTypeNames(), ", ")));
}

bool IsMatrix(const TensorInfo& tensor) { return tensor.shape.size() > 1; }

bool IsBlocked(DType type) { return Traits(type).block_elements > 1; }

absl::StatusOr<TensorPlan> PlanOf(const GgufFile& file, const TensorInfo& tensor, DType wanted) {
  TensorPlan plan{tensor.name, tensor.type, tensor.shape};
  if (!IsMatrix(tensor)) return plan;
  plan.type = FittingType(wanted, tensor.shape[0]);
  if (plan.type == tensor.type || !IsBlocked(tensor.type)) return plan;
  return absl::InvalidArgumentError(absl::StrCat(file.path(), ": tensor ", QuotedName(tensor.name), " is ",
                                                 Traits(tensor.type).name,
                                                 " already; quantise the file that it was made from"));
}

GgufMetadata MetadataOf(const GgufFile& file, const WeightType& type) {
  GgufMetadata metadata;
  CopyKeys(file.metadata(), "", metadata);
  // The writer's own.
  if (metadata.Has("general.alignment")) metadata.Set("general.alignment", uint64_t{kGgufAlignment});
  // An image encoder's has none.
  if (metadata.Has("general.file_type")) {
    metadata.Set("general.file_type", uint64_t{type.file_type});
    metadata.Set("general.quantization_version", uint64_t{2});
  }
  return metadata;
}

absl::Status WriteTensor(const GgufFile& file, const TensorInfo& tensor, DType type, GgufWriter& writer,
                         const QuantiseProgress& progress) {
  const std::span<const uint8_t> data = file.TensorData(tensor);
  if (type == tensor.type) return writer.Write(data);
  const uint64_t row = tensor.shape[0];
  const uint64_t elements = data.size() / Traits(tensor.type).block_bytes * Traits(tensor.type).block_elements;
  const uint64_t part = std::max<uint64_t>(1, kPartElements / row) * row;
  std::vector<float> values(std::min(part, elements));
  std::vector<uint8_t> stored;
  for (uint64_t first = 0; first < elements; first += part) {
    const uint64_t count = std::min(part, elements - first);
    Dequantise(tensor.type, data.data() + RowBytes(tensor.type, first), count, values.data());
    stored.resize(RowBytes(type, count));
    Quantise(type, values.data(), count, stored.data());
    ENIGMA_RETURN_IF_ERROR(writer.Write(stored));
    if (progress) progress(writer.written_bytes(), writer.file_bytes());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<uint64_t> QuantiseModel(const std::string& source, std::string_view type_name, const std::string& target,
                                       const QuantiseProgress& progress) {
  ENIGMA_ASSIGN_OR_RETURN(const WeightType type, PlainWeightType(type_name));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<GgufFile> file, GgufFile::Open(source));
  std::vector<TensorPlan> plans;
  for (const TensorInfo& tensor : file->tensors()) {
    ENIGMA_ASSIGN_OR_RETURN(plans.emplace_back(), PlanOf(*file, tensor, type.type));
  }
  ENIGMA_ASSIGN_OR_RETURN(const auto writer, GgufWriter::Create(target, MetadataOf(*file, type), plans));
  for (size_t i = 0; i < plans.size(); ++i) {
    ENIGMA_RETURN_IF_ERROR(WriteTensor(*file, file->tensors()[i], plans[i].type, *writer, progress));
  }
  return writer->Finish();
}

}  // namespace enigma::engine
