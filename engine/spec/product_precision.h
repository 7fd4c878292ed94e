#pragma once

#include <cstdint>

namespace enigma::engine {

// What the factors of training's products are rounded to; sums, and all else, are f32.
enum class ProductPrecision : uint8_t { kF32, kBf16 };

}  // namespace enigma::engine
