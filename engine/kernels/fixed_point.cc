#include "engine/kernels/fixed_point.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "engine/kernels/check.h"
#include "engine/kernels/fixed_point_cpu.h"

namespace enigma::engine {
namespace {

constexpr size_t kStretch = 65536;

// 2^exponent, exact. Products of it with floats and with 64-bit integers are normal doubles, and so exact too.
double PowerOfTwo(int exponent) {
  ENIGMA_KERNEL_CHECK(-kFixedPointExponentMax <= exponent && exponent <= kFixedPointExponentMax);
  return std::ldexp(1.0, exponent);
}

// What `part(begin, length)` gives for each stretch of [0, count), in order.
template <class T, class Part>
std::vector<T> OfStretches(size_t count, ThreadPool& pool, const Part& part) {
  std::vector<T> parts((count + kStretch - 1) / kStretch);
  pool.ParallelFor(parts.size(), 1, [&](size_t first, size_t last, int) {
    for (size_t i = first; i < last; ++i) parts[i] = part(i * kStretch, std::min(kStretch, count - i * kStretch));
  });
  return parts;
}

}  // namespace

uint64_t AddFixedPoint(const float* values, size_t count, int exponent, int64_t* sums, ThreadPool& pool) {
  const double scale = PowerOfTwo(exponent);
  const FixedPointKernels& kernels = CpuFixedPointKernels();
  const auto misfits = OfStretches<uint64_t>(count, pool, [&](size_t begin, size_t length) {
    return kernels.add(values + begin, length, scale, sums + begin);
  });
  return std::accumulate(misfits.begin(), misfits.end(), uint64_t{0});
}

void FromFixedPoint(const int64_t* sums, size_t count, int exponent, float* values, ThreadPool& pool) {
  const double scale = PowerOfTwo(-exponent);
  const FixedPointKernels& kernels = CpuFixedPointKernels();
  pool.ParallelFor(count, kSerialElements, [&](size_t begin, size_t end, int) {
    kernels.to_floats(sums + begin, end - begin, scale, values + begin);
  });
}

double SumOfSquares(const int64_t* sums, size_t count, int exponent, ThreadPool& pool) {
  const double scale = PowerOfTwo(-exponent);
  const FixedPointKernels& kernels = CpuFixedPointKernels();
  const auto parts = OfStretches<double>(
      count, pool, [&](size_t begin, size_t length) { return kernels.squares(sums + begin, length, scale); });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

uint64_t LargestMagnitude(const int64_t* sums, size_t count, ThreadPool& pool) {
  const FixedPointKernels& kernels = CpuFixedPointKernels();
  const auto parts = OfStretches<uint64_t>(
      count, pool, [&](size_t begin, size_t length) { return kernels.largest(sums + begin, length); });
  return parts.empty() ? 0 : *std::max_element(parts.begin(), parts.end());
}

}  // namespace enigma::engine
