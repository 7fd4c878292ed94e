#pragma once

#include <cstdint>

#include "engine/image/image.h"

namespace enigma::engine {

// How a stored picture has to be turned to be looked at, by its number in Exif data.
enum class Orientation : uint8_t {
  kUpright = 1,
  kMirrored,
  kUpsideDown,
  kMirroredUpsideDown,
  kTransposed,
  kQuarterRight,  // turn it clockwise
  kTransverse,
  kQuarterLeft,
};

// The picture as it is looked at; width and height change places where it is turned by a quarter.
Image Upright(Image image, Orientation orientation);

}  // namespace enigma::engine
