#pragma once

#include <cstddef>
#include <span>

#include <absl/status/status.h>

#include "engine/spec/dtype.h"
#include "engine/spec/gguf_writer.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// What exports to GGUF have in common.

// The type that a parameter is stored as where `wanted` is asked for: vectors are f32, and matrices whose rows are no
// whole blocks of it q8_0 or f16.
DType StoredType(const Parameter& parameter, DType wanted);

// The next values of the file's data, as `type`.
absl::Status WriteFloats(const float* values, size_t count, DType type, GgufWriter& writer);

// InvalidArgument, naming the tensor, where a weight is not finite. `weights`: flat, as the offsets say.
absl::Status CheckFinite(std::span<const Parameter> parameters, const float* weights);

}  // namespace enigma::engine
