#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// Sums of floats as 64-bit integers in units of 2^-exponent: integers add in any order to the same bits, so gradients
// of many workers have one sum however they are grouped. Exponents are within [-kFixedPointExponentMax,
// kFixedPointExponentMax].
inline constexpr int kFixedPointExponentMax = 200;
// A value fits below this magnitude in units; so 2^13 values add without overflow.
inline constexpr int kFixedPointValueBits = 50;

// sums[i] += round_even(values[i] * 2^exponent). Returns how many values did not fit, or were not finite: they added
// nothing, and the sums are to be made anew with a smaller exponent.
[[nodiscard]] uint64_t AddFixedPoint(const float* values, size_t count, int exponent, int64_t* sums, ThreadPool& pool);

// values[i] = sums[i] * 2^-exponent, rounded to double and then to float, to nearest even.
void FromFixedPoint(const int64_t* sums, size_t count, int exponent, float* values, ThreadPool& pool);

// sum_i (sums[i] * 2^-exponent)^2 in double: sixteen parts over each stretch of 65536, the stretches added in order.
double SumOfSquares(const int64_t* sums, size_t count, int exponent, ThreadPool& pool);

// The largest |sums[i]|; 0 of none.
uint64_t LargestMagnitude(const int64_t* sums, size_t count, ThreadPool& pool);

}  // namespace enigma::engine
