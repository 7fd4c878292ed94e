#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/image/orientation.h"

namespace enigma::engine {

// The orientation that Exif data tell (Exif 2.3, tag 0x0112): a TIFF header and its first directory, with or without
// "Exif\0\0" before it. kUpright where they tell none, or are damaged.
Orientation ExifOrientation(const uint8_t* data, size_t size);

}  // namespace enigma::engine
