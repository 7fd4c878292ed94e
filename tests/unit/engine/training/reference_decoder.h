#pragma once

#include <vector>

#include "engine/corpus/slot_loader.h"
#include "engine/spec/model_spec.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// Sum of the losses of a slot's trained tokens, in double and written as the formulas stand, one token at a time.
// `weights`: flat, as `layout` says.
double ReferenceLoss(const ModelSpec& spec, const ParameterLayout& layout, const std::vector<double>& weights,
                     const SlotBatch& batch);

}  // namespace enigma::engine
