#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace enigma::engine {

struct SynthOptions {
  uint64_t seed = 1;  // the same seed gives the same bytes on every machine
  // Called now and then with the bytes written so far and in all.
  std::function<void(uint64_t written, uint64_t total)> progress;
};

// Writes a GGUF model of a real shape with random weights, so that speed and exactness can be measured where no model
// is at hand. `shape` is one of SynthShapeNames(), `type` one of SynthTypeNames(): an element type for all matrices
// (norms and biases are f32), or the mix "q4_k_m". A matrix whose rows are no whole blocks of the type is q8_0 (or
// f16). The vocabulary is SentencePiece-like, with a token for every byte. Returns the file's size in bytes.
absl::StatusOr<uint64_t> SynthesiseModel(std::string_view shape, std::string_view type, const std::string& path,
                                         const SynthOptions& options = {});

std::vector<std::string> SynthShapeNames();
std::vector<std::string> SynthTypeNames();

}  // namespace enigma::engine
