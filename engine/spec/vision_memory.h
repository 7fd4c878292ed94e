#pragma once

#include <cstdint>

#include "engine/spec/gguf.h"
#include "engine/spec/vision_spec.h"

namespace enigma::engine {

// What an image encoder will occupy, in bytes, from the head of its file alone, as memory_estimate.h has it for stages.
// A picture that is being decoded is not in it: for that there has to be memory when it comes
// (worker/pipeline/encoder_stage.h).
struct VisionMemory {
  uint64_t weights = 0;
  uint64_t workspace = 0;
  uint64_t total() const { return weights + workspace; }
};
VisionMemory EstimateVisionMemory(const GgufFile& head, const VisionSpec& spec);

}  // namespace enigma::engine
