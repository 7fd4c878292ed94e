#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace enigma::testing {

// What a trained model is known to answer, from the shared test data.
struct ReferenceCase {
  std::string prompt;
  std::vector<int> prompt_ids;
  std::vector<int> generated_ids;  // greedy, without the prompt
};

// The first case of `model` ("stories260K") in reference_outputs.json.
ReferenceCase LoadReference(const std::string& json_path, const std::string& model);

}  // namespace enigma::testing
