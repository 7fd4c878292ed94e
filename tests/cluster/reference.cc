#include "tests/cluster/reference.h"

#include "tests/support/test_data.h"

namespace enigma::testing {

ReferenceCase LoadReference(const std::string& json_path, const std::string& model) {
  const auto root = nlohmann::json::parse(ReadFileOrDie(json_path));
  const auto& entry = root.at(model + ".bin").at("cases").at(0);
  ReferenceCase reference;
  reference.prompt = entry.at("prompt");
  reference.prompt_ids = entry.at("prompt_ids").get<std::vector<int>>();
  const auto all = entry.at("greedy_ids").get<std::vector<int>>();
  reference.generated_ids.assign(all.begin() + static_cast<long>(reference.prompt_ids.size()), all.end());
  return reference;
}

}  // namespace enigma::testing
