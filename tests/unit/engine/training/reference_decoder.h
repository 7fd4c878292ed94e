#pragma once

#include <vector>

#include "engine/corpus/slot_loader.h"
#include "engine/spec/model_spec.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// Two layers with grouped heads, small enough for the reference.
ModelSpec SmallSpec();

// Low-rank additions to products.
struct ReferenceLora {
  const ParameterLayout& layout;  // of the factors
  std::vector<double> factors;
  double scale;
};

// Sum of the losses of a slot's trained tokens, in double and written as the formulas stand, one token at a time.
// `weights`: flat, as `layout` says. With `lora` products are W x + s B (A x); nothing is merged.
double ReferenceLoss(const ModelSpec& spec, const ParameterLayout& layout, const std::vector<double>& weights,
                     const SlotBatch& batch, const ReferenceLora* lora = nullptr);

}  // namespace enigma::engine
