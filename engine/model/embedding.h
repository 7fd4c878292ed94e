#pragma once

#include <cstddef>
#include <span>

#include <absl/status/statusor.h>

#include "engine/spec/model_spec.h"
#include "engine/text/tokenizer.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// token_embd.weight, read where it lies: a step needs a few rows of it, so it is neither copied nor unpacked.
// Immutable; valid as long as the weight source.
class Embedding {
 public:
  static absl::StatusOr<Embedding> Load(const WeightSource& weights, const ModelSpec& spec);

  // out: [ids, hidden]. Every id is in [0, vocab), or -1 for the next row of `given`, [such ids, hidden].
  void Lookup(std::span<const TokenId> ids, const float* given, float* out) const;

 private:
  StoredTensor table_{};
  size_t hidden_ = 0;
};

}  // namespace enigma::engine
