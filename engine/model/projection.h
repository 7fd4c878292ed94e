#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/kernels/matmul.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// One or several weight matrices with the same input, whose outputs lie side by side in a row: (query, key, value),
// (gate, up). Neighbours of one type become one product, which saves a pass over the threads and fills panels better;
// each output element is still its own row's sum, so the bits are those of separate products. Immutable.
class Projection {
 public:
  // Tensors of shape [inner, rows_i], in the order of their outputs.
  static absl::StatusOr<Projection> Load(std::span<const StoredTensor> tensors, size_t inner, ThreadPool& pool);

  // y[t][r] for all outputs r; y has row stride `stride` floats.
  void Apply(const ActivationRows& x, float* y, size_t stride, ThreadPool& pool) const;

  bool needs_quantised() const { return needs_quantised_; }
  size_t outputs() const { return outputs_; }
  uint64_t bytes() const;

 private:
  struct Part {
    PackedMatrix matrix;
    size_t first_output;
  };
  std::vector<Part> parts_;
  size_t outputs_ = 0;
  bool needs_quantised_ = false;
};

}  // namespace enigma::engine
