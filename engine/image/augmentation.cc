#include "engine/image/augmentation.h"

#include <algorithm>

#include "base/counter_random.h"

namespace enigma::engine {
namespace {

// Tells these draws from those of other users of a seed.
constexpr uint32_t kStream = 0x696D6167;  // "imag"

// From side_min of the side, rounded up, to all of it, by 32 random bits.
uint32_t CroppedSide(uint32_t side, float side_min, uint32_t bits) {
  const auto least = static_cast<uint64_t>(static_cast<double>(side_min) * 0x1p32);
  const uint64_t share = least + ((((uint64_t{1} << 32) - least) * (uint64_t{bits} + 1)) >> 32);
  const auto shortest = static_cast<uint32_t>((side * least + 0xFFFFFFFF) >> 32);
  return std::clamp(static_cast<uint32_t>((side * share + (uint64_t{1} << 31)) >> 32), std::max(shortest, 1U), side);
}

// One of 0 ... last, by 31 random bits.
uint32_t Offset(uint32_t last, uint32_t bits) {
  return static_cast<uint32_t>(((uint64_t{last} + 1) * (bits >> 1)) >> 31);
}

}  // namespace

Augmentation ChooseAugmentation(const AugmentationOptions& options, uint32_t width, uint32_t height, uint64_t seed,
                                uint64_t sample) {
  const auto bits = Philox({static_cast<uint32_t>(sample), static_cast<uint32_t>(sample >> 32), kStream, 0},
                           {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  Augmentation augmentation;
  ImageRegion& region = augmentation.region;
  region.width = CroppedSide(width, options.side_min, bits[0]);
  region.height = CroppedSide(height, options.side_min, bits[1]);
  region.x = Offset(width - region.width, bits[2]);
  region.y = Offset(height - region.height, bits[3]);
  augmentation.flip = options.flip && (bits[2] & 1) != 0;
  return augmentation;
}

Image Augmented(const Image& image, const Augmentation& augmentation, uint32_t size, const PixelScale& scale) {
  Image result = FitSquare(image, augmentation.region, size, scale);
  if (!augmentation.flip) return result;
  for (uint32_t y = 0; y < size; ++y) {
    for (uint32_t x = 0; x < size / 2; ++x) {
      std::swap_ranges(result.pixel(x, y), result.pixel(x, y) + 3, result.pixel(size - 1 - x, y));
    }
  }
  return result;
}

}  // namespace enigma::engine
