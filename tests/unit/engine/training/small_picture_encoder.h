#pragma once

#include <cstdint>

#include "engine/spec/vision_spec.h"

namespace enigma::engine::testing {

// For pictures of 16 x 16 pixels, and a decoder that is `output` wide.
inline VisionSpec SmallPictureEncoder(uint32_t output) {
  VisionSpec encoder;
  encoder.image_size = 16;
  encoder.stem = {8, 16};
  encoder.hidden = 32;
  encoder.ffn = 48;
  encoder.heads = 2;
  encoder.layers = 1;
  encoder.merge = 2;
  encoder.output = output;
  encoder.mean = {0.5F, 0.5F, 0.5F};
  encoder.deviation = {0.25F, 0.25F, 0.25F};
  return encoder;
}

}  // namespace enigma::engine::testing
