#pragma once

#include <cstdint>

namespace enigma::engine {

// What the factors of a decoder's products are rounded to in training; their sums, and all else, are f32.
enum class ProductPrecision : uint8_t { kF32, kBf16 };

}  // namespace enigma::engine
