#pragma once

#include <cstdint>

#include "engine/image/image.h"

namespace enigma::engine {

// Pixels [x, x + width) of rows [y, y + height).
struct ImageRegion {
  uint32_t x = 0;
  uint32_t y = 0;
  uint32_t width = 0;
  uint32_t height = 0;
};

// The region of an image in another size: columns, then rows, each a weighted mean of those whose centres lie within a
// triangle around the new centre, as wide on either side as the old pixels of a new one, or one old pixel where it
// grows. So a picture that shrinks takes part with every pixel, and one that grows is interpolated linearly.
//
// All of it is whole numbers: weights are multiples of 1 / 65536 that add up to 1, columns are kept with 8 bits behind
// the point, and halves are rounded up. The same image gives the same bytes on every machine.
//
// The region lies within the image and has pixels; width and height are above 0; no side is above 2^16.
Image Resize(const Image& image, const ImageRegion& region, uint32_t width, uint32_t height);

}  // namespace enigma::engine
