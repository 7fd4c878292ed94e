#include "engine/spec/model_spec.h"

#include <array>
#include <cstring>
#include <span>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "engine/spec/families/family.h"
#include "engine/spec/gguf_cursor.h"

namespace enigma::engine {
namespace {

constexpr std::array<Family, 3> kFamilies = {{
    {"llama", ReadLlama},
    {"qwen2", ReadQwen2},
    {"qwen3", ReadQwen3},
}};

}  // namespace

absl::StatusOr<ModelSpec> ModelSpecFromGguf(const GgufFile& file) {
  const auto architecture = file.metadata().String("general.architecture");
  if (!architecture.ok()) {
    return absl::Status(architecture.status().code(), absl::StrCat(file.path(), ": ", architecture.status().message()));
  }
  if (const uint64_t parts = file.metadata().UintOr("split.count", 1); parts > 1) {
    return absl::UnimplementedError(
        absl::StrCat(file.path(), ": the file is one of ", parts,
                     " parts of a split model; join them first (llama-gguf-split --merge)"));
  }
  for (const Family& family : kFamilies) {
    if (*architecture == family.architecture) return family.read(file);
  }
  const auto name = [](std::string* out, const Family& family) { out->append(family.architecture); };
  return absl::UnimplementedError(absl::StrCat(file.path(), ": architecture ", QuotedName(*architecture),
                                               " is not supported; these are: ", absl::StrJoin(kFamilies, ", ", name)));
}

absl::StatusOr<ModelSpec> WholeSpecFromGguf(const GgufFile& file) {
  ENIGMA_ASSIGN_OR_RETURN(ModelSpec spec, ModelSpecFromGguf(file));
  const TensorInfo* const tensor = file.FindTensor(kRopeFactorsTensor);
  if (tensor == nullptr) return spec;
  if (tensor->type != DType::kF32) {
    return absl::UnimplementedError(absl::StrCat(file.path(), ": tensor '", kRopeFactorsTensor, "' is ",
                                                 Traits(tensor->type).name, "; only f32 can be read here"));
  }
  std::vector<float>& factors = spec.rope.frequency_factors;
  factors.resize(spec.rope.dimensions / 2);  // the family has compared the shape
  const std::span<const uint8_t> data = file.TensorData(*tensor);
  if (data.size() != factors.size() * sizeof(float)) {
    return absl::FailedPreconditionError(absl::StrCat(file.path(), ": tensor '", kRopeFactorsTensor, "' has ",
                                                      data.size(), " bytes for ", factors.size(), " elements"));
  }
  std::memcpy(factors.data(), data.data(), data.size());
  return spec;
}

}  // namespace enigma::engine
