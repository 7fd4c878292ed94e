#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/image/image.h"
#include "engine/image/resize.h"

namespace enigma::engine {

// What a model's first layer expects of red, green and blue, as shares of full brightness: (share - mean) / deviation.
struct PixelScale {
  std::array<float, 3> mean = {0.5F, 0.5F, 0.5F};
  std::array<float, 3> deviation = {0.5F, 0.5F, 0.5F};  // above 0
};

// The whole picture in a square of `size`: its longer side fills it, its shape is kept, and what is left on both sides
// has the colour of the scale's mean.
Image FitSquare(const Image& image, uint32_t size, const PixelScale& scale);
// The same of a region of it, as if it were a picture of its own.
Image FitSquare(const Image& image, const ImageRegion& region, uint32_t size, const PixelScale& scale);

// [3][height][width] of the picture, each (value / 255 - mean) / deviation in f32, in this order of operations.
std::vector<float> ToModelInput(const Image& image, const PixelScale& scale);

}  // namespace enigma::engine
