#include "engine/weights/weight_types.h"

#include <array>

namespace enigma::engine {
namespace {

constexpr std::array<WeightType, 12> kWeightTypes = {{
    {"f32", DType::kF32, 0, false},
    {"f16", DType::kF16, 1, false},
    {"bf16", DType::kBF16, 32, false},
    {"q8_0", DType::kQ8_0, 7, false},
    {"q4_0", DType::kQ4_0, 2, false},
    {"q4_1", DType::kQ4_1, 3, false},
    {"q5_0", DType::kQ5_0, 8, false},
    {"q5_1", DType::kQ5_1, 9, false},
    {"q4_k", DType::kQ4_K, 14, false},
    {"q5_k", DType::kQ5_K, 16, false},
    {"q6_k", DType::kQ6_K, 18, false},
    {"q4_k_m", DType::kQ4_K, 15, true},
}};

}  // namespace

std::span<const WeightType> WeightTypes() { return kWeightTypes; }

std::vector<std::string> PlainWeightTypeNames() {
  std::vector<std::string> names;
  for (const WeightType& type : kWeightTypes) {
    if (!type.mixed) names.emplace_back(type.name);
  }
  return names;
}

DType FittingType(DType wanted, uint64_t row) {
  if (row % Traits(wanted).block_elements == 0) return wanted;
  return row % Traits(DType::kQ8_0).block_elements == 0 ? DType::kQ8_0 : DType::kF16;
}

}  // namespace enigma::engine
