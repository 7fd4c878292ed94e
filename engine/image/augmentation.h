#pragma once

#include <cstdint>

#include "engine/image/resize.h"

namespace enigma::engine {

struct AugmentationOptions {
  float side_min = 0.8F;  // a crop keeps at least this share of the width, and of the height; in (0, 1]
  bool flip = false;      // half of the pictures become mirror images; not where captions tell left from right
};

// What is taken of a picture.
struct Augmentation {
  ImageRegion region;
  bool flip = false;
};

// The crop and flip of the `sample`th picture that training sees: a function of seed and sample alone
// (base/counter_random.h), as dropout is of its key, so that whoever computes the sample again sees the same pixels.
Augmentation ChooseAugmentation(const AugmentationOptions& options, uint32_t width, uint32_t height, uint64_t seed,
                                uint64_t sample);

// The region as a picture of its own, `size` on a side, mirrored where asked.
Image Augmented(const Image& image, const Augmentation& augmentation, uint32_t size);

}  // namespace enigma::engine
