#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/spec/vision_spec.h"

namespace enigma::testing {

// A small encoder: 24 x 24 pixels, halved twice to 6 x 6 patches, of which 2 x 2 make a row: a prefix of nine.
engine::VisionSpec SmallVisionSpec();

// Random weights of a shape by tensor name, large enough that every part of the encoder shows in the result.
std::map<std::string, std::vector<float>> RandomVisionWeights(const engine::VisionSpec& spec, uint32_t seed);

// Writes them as a GGUF file: matrices as `type`, vectors as f32. `weights` then hold what is stored. Dies when the
// file cannot be written.
void WriteVisionModel(const std::string& path, const engine::VisionSpec& spec,
                      std::map<std::string, std::vector<float>>& weights, engine::DType type);

}  // namespace enigma::testing
