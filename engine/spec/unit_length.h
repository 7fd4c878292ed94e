#pragma once

#include <span>

namespace enigma::engine {

// Divides by the vector's Euclidean length, in the arithmetic of docs/numerics.md; zeros stay zeros.
void ScaleToUnitLength(std::span<float> vector);

}  // namespace enigma::engine
