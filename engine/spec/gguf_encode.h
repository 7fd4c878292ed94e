#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"
#include "engine/spec/gguf_writer.h"

namespace enigma::engine {

// Tensor data of the files we write lies at multiples of this many bytes (the format's default).
inline constexpr uint64_t kGgufAlignment = 32;
inline uint64_t GgufAligned(uint64_t bytes) { return (bytes + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment; }

// Stored bytes of a tensor; an error names it when its shape is none that can be stored in its type.
absl::StatusOr<uint64_t> StoredBytes(const TensorPlan& tensor);

// Magic to tensor table, padded with zeros to where the data starts. Offsets follow the order of `tensors`.
absl::StatusOr<std::string> EncodeGgufHead(const GgufMetadata& metadata, const std::vector<TensorPlan>& tensors);

}  // namespace enigma::engine
