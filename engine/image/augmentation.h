#pragma once

#include <cstdint>

#include "engine/image/image.h"
#include "engine/image/model_input.h"
#include "engine/image/resize.h"

namespace enigma::engine {

struct AugmentationOptions {
  // A crop keeps at least this share of the width, and of the height; in (0, 1]. Below 1 only where captions stay right
  // of what is left.
  float side_min = 1;
  bool flip = false;  // half of the pictures become mirror images; not where captions tell left from right
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

// The region in a square of `size` as FitSquare puts it there when a model answers, mirrored where asked. `scale` is
// the model's.
Image Augmented(const Image& image, const Augmentation& augmentation, uint32_t size, const PixelScale& scale = {});

}  // namespace enigma::engine
