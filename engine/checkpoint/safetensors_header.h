#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/checkpoint/safetensors.h"

namespace enigma::engine {

inline constexpr uint64_t kSafetensorsLengthBytes = 8;  // of the number before the header
// What other readers take at most.
inline constexpr uint64_t kSafetensorsHeaderBytesMax = 100'000'000;

struct SafetensorsHeader {
  SafetensorsMetadata metadata;
  std::vector<SafetensorsTensor> tensors;  // as listed; offset and bytes are what the header claims
};

// Reads the JSON strictly: {NAME: {"dtype": TEXT, "shape": [N, ...], "data_offsets": [BEGIN, END]}, ...}, and
// "__metadata__": {TEXT: TEXT}. No name twice, nothing else, UTF-8 throughout. Each tensor's offsets fit its shape. An
// error says what is wrong where, without the file's name.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view json);

}  // namespace enigma::engine
