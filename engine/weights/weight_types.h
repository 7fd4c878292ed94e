#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/spec/dtype.h"

namespace enigma::engine {

// How a file stores its matrices, by the name that commands know it by. Vectors are f32 in all of them.
struct WeightType {
  const char* name;
  DType type;          // of the matrices
  uint32_t file_type;  // general.file_type (llama_ftype)
  bool mixed;          // q4_k_m: some matrices are q6_k
};
std::span<const WeightType> WeightTypes();

// Of those whose matrices are all alike.
std::vector<std::string> PlainWeightTypeNames();

// What a matrix with rows of `row` elements is stored as where `wanted` is asked for: q8_0 or f16 where a row is no
// whole number of its blocks.
DType FittingType(DType wanted, uint64_t row);

}  // namespace enigma::engine
