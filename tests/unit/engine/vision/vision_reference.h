#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/spec/vision_spec.h"

namespace enigma::engine {

// The encoder in double, written down from docs/vision.md with one loop per index: [prefix][output] of an input
// [3][image_size][image_size].
std::vector<double> ReferencePrefix(const VisionSpec& spec, const std::map<std::string, std::vector<double>>& weights,
                                    const std::vector<double>& input);

}  // namespace enigma::engine
