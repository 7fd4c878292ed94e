#include "engine/kernels/exact_math.h"

#include <cmath>
#include <cstdint>

namespace enigma::engine {
namespace {

constexpr double kLn2High = 0x1.62e42fefp-1;  // 33 bits: multiples up to 2^20 are exact
constexpr double kLn2Low = 0x1.473de6af278edp-34;
// pi/2 in three parts of 33, 33 and 53 bits (Cody and Waite, 1980).
constexpr double kHalfPi1 = 0x1.921fb544p+0;
constexpr double kHalfPi2 = 0x1.0b4611a6p-34;
constexpr double kHalfPi3 = 0x1.3198a2e037073p-69;

// Ratios of a term to the one before: 1 / (k (k + 1)), k = 2, 4, ... for the sine and 1, 3, ... for the cosine.
constexpr double kSineRatios[] = {1.0 / 6,   1.0 / 20,  1.0 / 42,  1.0 / 72, 1.0 / 110,
                                  1.0 / 156, 1.0 / 210, 1.0 / 272, 1.0 / 342};
constexpr double kCosineRatios[] = {1.0 / 2,   1.0 / 12,  1.0 / 30,  1.0 / 56, 1.0 / 90,
                                    1.0 / 132, 1.0 / 182, 1.0 / 240, 1.0 / 306};

}  // namespace

double ExactLog(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // exact
  if (m < 0x1.6a09e667f3bcdp-1) {
    m *= 2;
    --exponent;
  }
  // log m = 2 artanh s, |s| < 0.172
  const double s = (m - 1) / (m + 1);
  const double s2 = s * s;
  double sum = 0;
  for (int k = 25; k >= 3; k -= 2) sum = (sum + 1.0 / k) * s2;
  return exponent * kLn2High + (exponent * kLn2Low + 2 * (s + s * sum));
}

double ExactExp(double x) {
  const double n = std::floor(x * 0x1.71547652b82fep+0 + 0.5);
  const double r = (x - n * kLn2High) - n * kLn2Low;
  double sum = 1;
  for (int k = 16; k >= 1; --k) sum = 1 + sum * r / k;
  return std::ldexp(sum, static_cast<int>(n));  // exact
}

void ExactSinCos(double x, double* sine, double* cosine) {
  const double n = std::floor(x * 0x1.45f306dc9c883p-1 + 0.5);
  const double r = ((x - n * kHalfPi1) - n * kHalfPi2) - n * kHalfPi3;
  const double r2 = r * r;
  // Taylor series on |r| <= pi/4: the first term left out is below 1e-17.
  double s = 1;
  double c = 1;
  for (int k = 8; k >= 0; --k) {
    s = 1 - s * r2 * kSineRatios[k];
    c = 1 - c * r2 * kCosineRatios[k];
  }
  s *= r;
  switch (static_cast<int64_t>(n) & 3) {
    case 0:
      *sine = s, *cosine = c;
      break;
    case 1:
      *sine = c, *cosine = -s;
      break;
    case 2:
      *sine = -s, *cosine = -c;
      break;
    default:
      *sine = -c, *cosine = s;
  }
}

}  // namespace enigma::engine
