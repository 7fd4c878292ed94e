#include "engine/spec/unit_length.h"

#include <cmath>

namespace enigma::engine {

void ScaleToUnitLength(std::span<float> vector) {
  double sum = 0;
  for (const float value : vector) sum += static_cast<double>(value) * static_cast<double>(value);
  if (sum == 0) return;
  const double length = std::sqrt(sum);
  for (float& value : vector) value = static_cast<float>(static_cast<double>(value) / length);
}

}  // namespace enigma::engine
