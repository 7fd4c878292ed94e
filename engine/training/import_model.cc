#include "engine/training/import_model.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "engine/kernels/dequantise.h"

namespace enigma::engine {
namespace {

constexpr size_t kGrain = 4096;  // elements; a whole number of blocks of every type

absl::Status CheckShape(const TensorInfo& tensor, const Parameter& parameter) {
  std::vector<uint64_t> shape = tensor.shape;
  while (shape.size() > parameter.shape.size() && shape.back() == 1) shape.pop_back();
  if (shape == parameter.shape) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("tensor '", parameter.name, "' of the model has shape [",
                                                 absl::StrJoin(tensor.shape, ", "), "], the one to be trained [",
                                                 absl::StrJoin(parameter.shape, ", "), "]"));
}

// Whether all values are finite.
bool DequantiseAll(DType type, const uint8_t* source, size_t count, float* out, ThreadPool& pool) {
  std::atomic<bool> finite = true;
  pool.ParallelFor(count, kGrain, [&](size_t begin, size_t end, int) {
    Dequantise(type, source + RowBytes(type, begin), end - begin, out + begin);
    if (!std::all_of(out + begin, out + end, [](float value) { return std::isfinite(value); })) finite = false;
  });
  return finite;
}

}  // namespace

absl::StatusOr<ModelSpec> SpecOfModel(const WeightSource& model) {
  ENIGMA_ASSIGN_OR_RETURN(ModelSpec spec, ModelSpecFromGguf(model.head()));
  if (model.head().FindTensor(kRopeFactorsTensor) == nullptr) return spec;
  ENIGMA_ASSIGN_OR_RETURN(const StoredTensor factors, model.Tensor(kRopeFactorsTensor));
  const DType type = factors.info->type;
  const size_t pairs = spec.rope.dimensions / 2;  // ModelSpecFromGguf has compared the shape
  if (pairs % Traits(type).block_elements != 0 || factors.data.size() != RowBytes(type, pairs)) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", kRopeFactorsTensor, "' has ", factors.data.size(), " bytes for ", pairs, " elements"));
  }
  spec.rope.frequency_factors.resize(pairs);
  Dequantise(type, factors.data.data(), pairs, spec.rope.frequency_factors.data());
  return spec;
}

absl::Status ImportWeights(const WeightSource& model, const ParameterLayout& layout, TrainingState& state,
                           ThreadPool& pool) {
  if (state.weights.size() != layout.floats()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a state of ", state.weights.size(), " floats is not of a layout of ", layout.floats()));
  }
  for (const Parameter& parameter : layout.parameters()) {
    ENIGMA_ASSIGN_OR_RETURN(const StoredTensor tensor, model.Tensor(parameter.name));
    ENIGMA_RETURN_IF_ERROR(CheckShape(*tensor.info, parameter));
    const DType type = tensor.info->type;
    if (tensor.data.size() != RowBytes(type, parameter.count)) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", parameter.name, "' has ", tensor.data.size(),
                                                     " bytes for ", parameter.count, " elements of ",
                                                     Traits(type).name));
    }
    float* const out = state.weights.data() + parameter.offset;
    if (!DequantiseAll(type, tensor.data.data(), parameter.count, out, pool)) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", parameter.name, "' of the model holds values that are not finite"));
    }
  }
  return absl::OkStatus();
}

}  // namespace enigma::engine
