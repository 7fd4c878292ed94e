#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace enigma::engine {

// A picture as it is looked at: rows from the top, pixels from the left, 8 bits of red, green and blue each.
struct Image {
  uint32_t width = 0;
  uint32_t height = 0;
  std::vector<uint8_t> rgb;  // [height][width][3]

  static Image Blank(uint32_t width, uint32_t height) {
    return {width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  }
  uint8_t* pixel(uint32_t x, uint32_t y) { return rgb.data() + 3 * (size_t{y} * width + x); }
  const uint8_t* pixel(uint32_t x, uint32_t y) const { return rgb.data() + 3 * (size_t{y} * width + x); }
};

}  // namespace enigma::engine
