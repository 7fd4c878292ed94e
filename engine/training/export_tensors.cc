#include "engine/training/export_tensors.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/kernels/dequantise.h"
#include "engine/weights/weight_types.h"

namespace enigma::engine {
namespace {

constexpr size_t kPartElements = size_t{1} << 18;  // converted at a time; a whole number of blocks of every type

}  // namespace

DType StoredType(const Parameter& parameter, DType wanted) {
  if (parameter.shape.size() < 2) return DType::kF32;
  return FittingType(wanted, parameter.shape[0]);
}

absl::Status WriteFloats(const float* values, size_t count, DType type, GgufWriter& writer) {
  std::vector<uint8_t> part;
  for (size_t at = 0; at < count; at += kPartElements) {
    const size_t elements = std::min(kPartElements, count - at);
    part.resize(RowBytes(type, elements));
    Quantise(type, values + at, elements, part.data());
    ENIGMA_RETURN_IF_ERROR(writer.Write(part));
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(std::span<const Parameter> parameters, const float* weights) {
  for (const Parameter& parameter : parameters) {
    const float* values = weights + parameter.offset;
    if (std::all_of(values, values + parameter.count, [](float value) { return std::isfinite(value); })) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", parameter.name, "' holds values that are not finite; such a model is not exported"));
  }
  return absl::OkStatus();
}

}  // namespace enigma::engine
