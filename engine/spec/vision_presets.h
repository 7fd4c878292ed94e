#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <absl/status/statusor.h>

#include "engine/spec/vision_spec.h"

namespace enigma::engine {

// An image encoder's shape, by the name of the decoder's size that it is trained with (training_presets.h).
struct VisionPreset {
  const char* name;
  uint32_t channels;  // that the last convolution makes; each one before it half as many
  uint32_t layers;
  uint32_t hidden;
  uint32_t heads;
  uint32_t ffn;
};

// From the smallest to the largest. Larger sizes have none: their encoders are not worth training on processors.
std::span<const VisionPreset> VisionPresets();
// NotFound names those there are.
absl::StatusOr<VisionPreset> FindVisionPreset(std::string_view name);

inline constexpr uint32_t kImageSizeDefault = 64;
// Pixels of a picture's side: 32, 64 or 128. InvalidArgument names the value and what it may be.
absl::Status CheckImageSize(uint32_t image_size);

// An encoder of that shape for a decoder of width `output`. Whatever the size, convolutions shrink a picture to 8 x 8
// patches, four of which make a row: a prefix of 16. `image_size` is a sound one.
VisionSpec SpecOfVisionPreset(const VisionPreset& preset, uint32_t image_size, uint32_t output);

// Operations of one training step per picture: six per weight and row that it is multiplied with, and attention
// between all patches, 12 * layers * hidden * patches^2.
double VisionTrainingFlops(const VisionSpec& spec);

}  // namespace enigma::engine
