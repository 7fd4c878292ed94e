#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>

#include "engine/spec/dtype.h"
#include "engine/spec/vision_spec.h"
#include "engine/training/parameters.h"

namespace enigma::engine {

// Writes the encoder of a layout made by ParameterLayout::WithEncoder as the file that VisionEncoder reads, and returns
// its size in bytes. Types are stored as by ExportGguf (export_model.h), and the file is there whole or not at all.
// InvalidArgument where a weight is not finite.
absl::StatusOr<uint64_t> ExportEncoderGguf(const VisionSpec& spec, const ParameterLayout& layout, const float* weights,
                                           DType type, const std::string& path);

}  // namespace enigma::engine
