#include "engine/spec/dtype.h"

#include <algorithm>
#include <array>

namespace enigma::engine {
namespace {

struct Row {
  DType type;
  DTypeTraits traits;
};

// Block layouts: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h
constexpr std::array<Row, 11> kTable = {{
    {DType::kF32, {"f32", 1, 4}},
    {DType::kF16, {"f16", 1, 2}},
    {DType::kQ4_0, {"q4_0", 32, 18}},
    {DType::kQ4_1, {"q4_1", 32, 20}},
    {DType::kQ5_0, {"q5_0", 32, 22}},
    {DType::kQ5_1, {"q5_1", 32, 24}},
    {DType::kQ8_0, {"q8_0", 32, 34}},
    {DType::kQ4_K, {"q4_k", 256, 144}},
    {DType::kQ5_K, {"q5_k", 256, 176}},
    {DType::kQ6_K, {"q6_k", 256, 210}},
    {DType::kBF16, {"bf16", 1, 2}},
}};

}  // namespace

const DTypeTraits* FindTraits(uint32_t gguf_type) {
  const auto* row = std::find_if(kTable.begin(), kTable.end(),
                                 [&](const Row& r) { return static_cast<uint32_t>(r.type) == gguf_type; });
  return row == kTable.end() ? nullptr : &row->traits;
}

const DTypeTraits& Traits(DType type) { return *FindTraits(static_cast<uint32_t>(type)); }

std::optional<DType> DTypeFromName(std::string_view name) {
  for (const Row& row : kTable) {
    if (name == row.traits.name) return row.type;
  }
  return std::nullopt;
}

}  // namespace enigma::engine
