#include "eval/wilson_interval.h"

#include <algorithm>
#include <cmath>

namespace enigma::eval {

Interval WilsonInterval(double successes, double trials) {
  if (trials <= 0) return {};
  constexpr double kZ = 1.959963984540054;  // 97.5 % of the standard normal distribution lie below
  constexpr double kZ2 = kZ * kZ;
  const double share = successes / trials;
  const double middle = (share + kZ2 / (2 * trials)) / (1 + kZ2 / trials);
  const double half = kZ / (1 + kZ2 / trials) * std::sqrt(share * (1 - share) / trials + kZ2 / (4 * trials * trials));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

}  // namespace enigma::eval
