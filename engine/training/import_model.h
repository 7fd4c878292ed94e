#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/spec/model_spec.h"
#include "engine/tensor/thread_pool.h"
#include "engine/training/parameters.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// A model's shape with what only its tensors tell: the divisors of its rotation (RopeSpec::frequency_factors).
absl::StatusOr<ModelSpec> SpecOfModel(const WeightSource& model);

// Fills state.weights with a model's tensors, of any stored type, as f32; moments, step and exponents stay as they are.
// Errors name the tensor: NotFound where the model lacks one of the layout's, InvalidArgument where its shape differs
// or a value is not finite. `state` is of the layout.
absl::Status ImportWeights(const WeightSource& model, const ParameterLayout& layout, TrainingState& state,
                           ThreadPool& pool);

}  // namespace enigma::engine
