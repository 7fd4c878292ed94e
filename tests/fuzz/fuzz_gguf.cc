// A whole GGUF file from a stranger: the head is parsed, and what it says of the model is read.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "engine/spec/gguf.h"
#include "engine/spec/manifest.h"
#include "engine/spec/model_spec.h"
#include "engine/spec/router_spec.h"
#include "engine/spec/vision_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace enigma::engine;
  const auto file = GgufFile::ParseHead({data, size}, size, "fuzz");
  if (!file.ok()) return 0;
  // What the parser let through must lie inside the file.
  for (const TensorInfo& tensor : (*file)->tensors()) {
    if (tensor.offset > size || tensor.bytes > size - tensor.offset) std::abort();
  }
  for (const std::string& key : (*file)->metadata().keys()) {
    if (!(*file)->metadata().Has(key)) std::abort();
  }
  const auto router = RouterSpecFromGguf((*file)->metadata());
  if (router.ok() && *router && (*router)->labels.size() != (*router)->label_tokens.size()) std::abort();
  const auto spec = ModelSpecFromGguf(**file);
  if (spec.ok() && spec->layers.size() > (*file)->tensors().size()) std::abort();
  const auto encoder = VisionSpecFromGguf(**file);
  if (encoder.ok() && (!CheckVisionSpec(*encoder).ok() || encoder->layers > (*file)->tensors().size())) std::abort();
  // Nor may it ask for more memory to work in than it names.
  if (encoder.ok() && std::max(StemMapFloats(*encoder), GatheredFloats(*encoder)) > kVisionFloatsMax) std::abort();
  return 0;
}
