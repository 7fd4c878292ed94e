#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace enigma::engine {

// Hears now and then how many bytes of the new file are written, and how many there will be.
using QuantiseProgress = std::function<void(uint64_t written, uint64_t total)>;

// Writes the GGUF file `source`, a model or an image encoder, to `target` with its matrices stored as `type`, one of
// PlainWeightTypeNames(). Vectors and all metadata, a router's keys among them, stay as they are, but for
// general.file_type. The same file gives the same bytes on every machine. Returns the new file's size in bytes.
// INVALID_ARGUMENT for another type, or where a matrix is quantised already in another one, from which no good one can
// be made: quantise the file that it was made from.
absl::StatusOr<uint64_t> QuantiseModel(const std::string& source, std::string_view type, const std::string& target,
                                       const QuantiseProgress& progress = nullptr);

}  // namespace enigma::engine
