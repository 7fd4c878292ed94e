#include "engine/image/model_input.h"

#include <algorithm>

namespace enigma::engine {
namespace {

// side * size / longer, to the nearest, at least 1.
uint32_t FittedSide(uint32_t side, uint32_t longer, uint32_t size) {
  return std::max<uint32_t>(1, static_cast<uint32_t>((2 * uint64_t{side} * size + longer) / (2 * uint64_t{longer})));
}

uint8_t ToByte(float share) { return static_cast<uint8_t>(std::clamp(share * 255.0F + 0.5F, 0.0F, 255.0F)); }

}  // namespace

Image FitSquare(const Image& image, uint32_t size, const PixelScale& scale) {
  return FitSquare(image, {0, 0, image.width, image.height}, size, scale);
}

Image FitSquare(const Image& image, const ImageRegion& region, uint32_t size, const PixelScale& scale) {
  const uint32_t longer = std::max(region.width, region.height);
  const Image fitted =
      Resize(image, region, FittedSide(region.width, longer, size), FittedSide(region.height, longer, size));
  if (region.width == region.height) return fitted;
  Image square = Image::Blank(size, size);
  for (size_t i = 0; i < square.rgb.size(); ++i) square.rgb[i] = ToByte(scale.mean[i % 3]);
  const uint32_t left = (size - fitted.width) / 2, top = (size - fitted.height) / 2;
  for (uint32_t y = 0; y < fitted.height; ++y) {
    std::copy_n(fitted.pixel(0, y), size_t{3} * fitted.width, square.pixel(left, top + y));
  }
  return square;
}

std::vector<float> ToModelInput(const Image& image, const PixelScale& scale) {
  const size_t pixels = size_t{image.width} * image.height;
  std::vector<float> input(3 * pixels);
  for (size_t c = 0; c < 3; ++c) {
    std::array<float, 256> levels;
    for (size_t level = 0; level < levels.size(); ++level) {
      levels[level] = (static_cast<float>(level) / 255.0F - scale.mean[c]) / scale.deviation[c];
    }
    for (size_t i = 0; i < pixels; ++i) input[c * pixels + i] = levels[image.rgb[3 * i + c]];
  }
  return input;
}

}  // namespace enigma::engine
