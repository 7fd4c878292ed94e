// Qwen2 and Qwen2.5: biases on query, key and value; rotated pairs are halves of a head.

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/families/decoder_metadata.h"
#include "engine/spec/families/decoder_tensors.h"
#include "engine/spec/families/family.h"

namespace enigma::engine {

absl::StatusOr<ModelSpec> ReadQwen2(const GgufFile& file) {
  ENIGMA_ASSIGN_OR_RETURN(ModelSpec spec, ReadDecoderMetadata(file));
  spec.rope.pairing = RopePairing::kHalves;
  spec.qkv_bias = true;
  // These models window only some layers, and the format does not say which.
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t window, ReadSlidingWindow(file, spec));
  if (window > 0) {
    return absl::UnimplementedError(absl::StrCat(file.path(), ": qwen2.attention.sliding_window is ", window,
                                                 "; windowed attention is not supported for this architecture"));
  }
  ENIGMA_RETURN_IF_ERROR(CheckDecoderTensors(file, spec));
  return spec;
}

}  // namespace enigma::engine
