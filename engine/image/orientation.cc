#include "engine/image/orientation.h"

#include <utility>

namespace enigma::engine {

Image Upright(Image image, Orientation orientation) {
  if (orientation == Orientation::kUpright) return image;
  const bool is_quarter = orientation >= Orientation::kTransposed;
  const uint32_t right = image.width - 1, bottom = image.height - 1;
  Image turned = is_quarter ? Image::Blank(image.height, image.width) : Image::Blank(image.width, image.height);
  const auto source = [&](uint32_t x, uint32_t y) -> std::pair<uint32_t, uint32_t> {
    switch (orientation) {
      case Orientation::kUpright:
        return {x, y};
      case Orientation::kMirrored:
        return {right - x, y};
      case Orientation::kUpsideDown:
        return {right - x, bottom - y};
      case Orientation::kMirroredUpsideDown:
        return {x, bottom - y};
      case Orientation::kTransposed:
        return {y, x};
      case Orientation::kQuarterRight:
        return {y, bottom - x};
      case Orientation::kTransverse:
        return {right - y, bottom - x};
      case Orientation::kQuarterLeft:
        return {right - y, x};
    }
    return {x, y};
  };
  for (uint32_t y = 0; y < turned.height; ++y) {
    for (uint32_t x = 0; x < turned.width; ++x) {
      const auto [from_x, from_y] = source(x, y);
      const uint8_t* from = image.pixel(from_x, from_y);
      uint8_t* to = turned.pixel(x, y);
      for (int c = 0; c < 3; ++c) to[c] = from[c];
    }
  }
  return turned;
}

}  // namespace enigma::engine
