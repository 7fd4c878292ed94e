#pragma once

#include <cstdint>

#include "engine/spec/gguf.h"
#include "engine/spec/vision_spec.h"

namespace enigma::engine {

// In the workspace of each encoder, for the picture that is being decoded: some four million pixels. A larger one needs
// memory that is free when it comes (worker/pipeline/encoder_stage.h).
inline constexpr uint64_t kPictureReserveBytes = uint64_t{32} << 20;

// What an image encoder will occupy, in bytes, from the head of its file alone, as memory_estimate.h has it for stages.
struct VisionMemory {
  uint64_t weights = 0;
  uint64_t workspace = 0;  // with kPictureReserveBytes
  uint64_t total() const { return weights + workspace; }
};
VisionMemory EstimateVisionMemory(const GgufFile& head, const VisionSpec& spec);

}  // namespace enigma::engine
