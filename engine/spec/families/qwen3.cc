// Qwen3 (dense): RMS norms over each head of query and key before the rotation, and a head size of its own
// (attention.key_length) instead of width / heads; no biases.

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/families/decoder_metadata.h"
#include "engine/spec/families/decoder_tensors.h"
#include "engine/spec/families/family.h"

namespace enigma::engine {

absl::StatusOr<ModelSpec> ReadQwen3(const GgufFile& file) {
  ENIGMA_ASSIGN_OR_RETURN(ModelSpec spec, ReadDecoderMetadata(file));
  spec.rope.pairing = RopePairing::kHalves;
  spec.qk_norm = true;
  // These models window only some layers, and the format does not say which.
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t window, ReadSlidingWindow(file, spec));
  if (window > 0) {
    return absl::UnimplementedError(absl::StrCat(file.path(), ": qwen3.attention.sliding_window is ", window,
                                                 "; windowed attention is not supported for this architecture"));
  }
  ENIGMA_RETURN_IF_ERROR(CheckDecoderTensors(file, spec));
  return spec;
}

}  // namespace enigma::engine
