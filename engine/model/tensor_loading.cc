#include "engine/model/tensor_loading.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/kernels/dequantise.h"

namespace enigma::engine {

std::string LayerTensorName(uint32_t layer, std::string_view suffix) {
  return absl::StrCat("blk.", layer, ".", ToAbsl(suffix));
}

absl::StatusOr<AlignedBuffer<float>> LoadVector(const WeightSource& weights, std::string_view name, size_t count) {
  ENIGMA_ASSIGN_OR_RETURN(const StoredTensor tensor, weights.Tensor(name));
  const DType type = tensor.info->type;
  size_t elements = 1;
  for (const uint64_t extent : tensor.info->shape) elements *= extent;
  if (elements != count || count % Traits(type).block_elements != 0 || tensor.data.size() != RowBytes(type, count)) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", ToAbsl(name), ": ", elements, " elements in ",
                                                   tensor.data.size(), " bytes, expected ", count, " elements"));
  }
  AlignedBuffer<float> out(count);
  Dequantise(type, tensor.data.data(), count, out.data());
  return out;
}

}  // namespace enigma::engine
