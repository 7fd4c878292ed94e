#include "engine/image/resize.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace enigma::engine {
namespace {

constexpr uint32_t kOne = 1U << 16;  // a weight of 1

// What one new pixel takes of the old ones along an axis.
struct Taps {
  uint32_t first = 0;
  std::vector<uint32_t> weights;  // add up to kOne
};

// Halves of an old pixel divided by the new count: in these units every centre is a whole number.
Taps TapsOf(uint32_t index, uint32_t old_count, uint32_t new_count) {
  const int64_t centre = (2 * int64_t{index} + 1) * old_count;
  const int64_t reach = 2 * int64_t{std::max(old_count, new_count)};
  const auto closeness = [&](int64_t old) { return reach - std::abs((2 * old + 1) * new_count - centre); };
  int64_t first = std::clamp<int64_t>((centre - reach) / (2 * int64_t{new_count}), 0, old_count - 1);
  while (closeness(first) <= 0) ++first;
  Taps taps;
  taps.first = static_cast<uint32_t>(first);
  int64_t total = 0;
  for (int64_t old = first; old < old_count && closeness(old) > 0; ++old) total += closeness(old);
  uint32_t given = 0;
  for (int64_t old = first; old < old_count && closeness(old) > 0; ++old) {
    taps.weights.push_back(static_cast<uint32_t>(closeness(old) * kOne / total));
    given += taps.weights.back();
  }
  // Rounding down has left some; the largest weight takes it.
  *std::max_element(taps.weights.begin(), taps.weights.end()) += kOne - given;
  return taps;
}

std::vector<Taps> TapsOfAxis(uint32_t old_count, uint32_t new_count) {
  std::vector<Taps> axis;
  axis.reserve(new_count);
  for (uint32_t i = 0; i < new_count; ++i) axis.push_back(TapsOf(i, old_count, new_count));
  return axis;
}

// [region.height][width][3], 8 bits behind the point: at most 255 * 256, so that the weighted sum fits 32 bits.
std::vector<uint16_t> ResizeColumns(const Image& image, const ImageRegion& region, uint32_t width) {
  const std::vector<Taps> axis = TapsOfAxis(region.width, width);
  std::vector<uint16_t> columns(size_t{3} * region.height * width);
  uint16_t* out = columns.data();
  for (uint32_t y = 0; y < region.height; ++y) {
    for (const Taps& taps : axis) {
      const uint8_t* in = image.pixel(region.x + taps.first, region.y + y);
      uint32_t sums[3] = {};
      for (const uint32_t weight : taps.weights) {
        for (int c = 0; c < 3; ++c) sums[c] += weight * *in++;
      }
      for (const uint32_t sum : sums) *out++ = static_cast<uint16_t>((sum + 128) >> 8);
    }
  }
  return columns;
}

}  // namespace

Image Resize(const Image& image, const ImageRegion& region, uint32_t width, uint32_t height) {
  const std::vector<uint16_t> columns = ResizeColumns(image, region, width);
  const size_t row = size_t{3} * width;
  Image resized = Image::Blank(width, height);
  std::vector<uint32_t> sums(row);
  for (uint32_t y = 0; y < height; ++y) {
    const Taps taps = TapsOf(y, region.height, height);
    std::fill(sums.begin(), sums.end(), uint32_t{1} << 23);
    const uint16_t* in = columns.data() + row * taps.first;
    for (const uint32_t weight : taps.weights) {
      for (size_t i = 0; i < row; ++i) sums[i] += weight * *in++;
    }
    uint8_t* out = resized.pixel(0, y);
    for (size_t i = 0; i < row; ++i) out[i] = static_cast<uint8_t>(sums[i] >> 24);
  }
  return resized;
}

}  // namespace enigma::engine
