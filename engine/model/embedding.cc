#include "engine/model/embedding.h"

#include <algorithm>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/kernels/dequantise.h"

namespace enigma::engine {

absl::StatusOr<Embedding> Embedding::Load(const WeightSource& weights, const ModelSpec& spec) {
  Embedding embedding;
  embedding.hidden_ = spec.hidden;
  ENIGMA_ASSIGN_OR_RETURN(embedding.table_, weights.Tensor("token_embd.weight"));
  const uint64_t expected = RowBytes(embedding.table_.info->type, spec.hidden) * spec.vocab;
  if (embedding.table_.data.size() != expected) {
    return absl::DataLossError(absl::StrCat("tensor token_embd.weight: ", embedding.table_.data.size(),
                                            " bytes are there, expected ", expected));
  }
  return embedding;
}

void Embedding::Lookup(std::span<const TokenId> ids, const float* given, float* out) const {
  const DType type = table_.info->type;
  const size_t row_bytes = RowBytes(type, hidden_);
  for (const TokenId id : ids) {
    if (id < 0) {
      std::copy_n(given, hidden_, out);
      given += hidden_;
    } else {
      Dequantise(type, table_.data.data() + static_cast<size_t>(id) * row_bytes, hidden_, out);
    }
    out += hidden_;
  }
}

}  // namespace enigma::engine
