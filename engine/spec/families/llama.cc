// Llama 1 to 3, TinyLlama and Mistral: architecture "llama". The converter permutes the rows of attn_q and attn_k, so
// that a rotated pair lies side by side. Llama 3.1's piecewise stretching comes as tensor rope_freqs.weight.

#include "base/status_macros.h"
#include "engine/spec/families/decoder_metadata.h"
#include "engine/spec/families/decoder_tensors.h"
#include "engine/spec/families/family.h"

namespace enigma::engine {

absl::StatusOr<ModelSpec> ReadLlama(const GgufFile& file) {
  ENIGMA_ASSIGN_OR_RETURN(ModelSpec spec, ReadDecoderMetadata(file));
  spec.rope.pairing = RopePairing::kAdjacent;
  spec.qkv_bias = file.FindTensor("blk.0.attn_q.bias") != nullptr;
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t window, ReadSlidingWindow(file, spec));
  if (window > 0) {
    for (LayerSpec& layer : spec.layers) {
      layer.attention = AttentionKind::kWindowed;
      layer.window = window;
    }
  }
  ENIGMA_RETURN_IF_ERROR(CheckDecoderTensors(file, spec));
  return spec;
}

}  // namespace enigma::engine
