#include "engine/spec/vision_memory.h"

#include "engine/spec/memory_estimate.h"

namespace enigma::engine {

VisionMemory EstimateVisionMemory(const GgufFile& head, const VisionSpec& spec) {
  VisionMemory memory;
  for (const TensorInfo& tensor : head.tensors()) {
    uint64_t elements = 1;
    for (const uint64_t extent : tensor.shape) elements *= extent;
    // Only what is multiplied is packed.
    const bool is_matrix = tensor.shape.size() == 2 && tensor.name != "v.position_embd.weight";
    memory.weights +=
        is_matrix ? PackedWeightBytes(tensor.type, tensor.shape[1], tensor.shape[0]) : elements * sizeof(float);
  }
  const uint64_t input = 3 * uint64_t{spec.image_size} * spec.image_size;
  const uint64_t layer = uint64_t{spec.patches()} * (7 * uint64_t{spec.hidden} + 2 * uint64_t{spec.ffn});
  const uint64_t made = 2 * uint64_t{spec.prefix()} * spec.output;
  const uint64_t gathered = GatheredFloats(spec);
  memory.workspace = (input + StemMapFloats(spec) + gathered + layer + made) * sizeof(float);
  // What a product multiplies once quantised: chunks of 512 elements in 768 bytes.
  memory.workspace += (gathered + 511) / 512 * 768;
  memory.workspace += kPictureReserveBytes;
  return memory;
}

}  // namespace enigma::engine
