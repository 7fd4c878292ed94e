#include "engine/kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/kernels/check.h"
#include "engine/kernels/cross_entropy_cpu.h"
#include "engine/kernels/exact_math.h"

namespace enigma::engine {
namespace {

double Loss(double sum_of_exponentials, float largest, float at_target) {
  return ExactLog(sum_of_exponentials) + (static_cast<double>(largest) - static_cast<double>(at_target));
}

double RowLoss(const CrossEntropyKernels& kernels, const float* row, size_t vocab, int32_t target) {
  const float largest = kernels.largest(row, vocab);
  if (std::isnan(largest)) return std::numeric_limits<double>::quiet_NaN();
  return Loss(kernels.sum(row, largest, vocab), largest, row[target]);
}

double RowGradient(const CrossEntropyKernels& kernels, float* row, size_t vocab, int32_t target) {
  const float largest = kernels.largest(row, vocab);
  if (std::isnan(largest)) {
    std::fill_n(row, vocab, std::numeric_limits<float>::quiet_NaN());
    return std::numeric_limits<double>::quiet_NaN();
  }
  const float at_target = row[target];
  const double sum = kernels.exponentials(row, largest, vocab);
  kernels.scale(row, vocab, static_cast<float>(1 / sum));
  row[target] -= 1.0F;
  return Loss(sum, largest, at_target);
}

}  // namespace

void CrossEntropy(const float* logits, size_t stride, size_t rows, size_t vocab, const int32_t* targets, double* losses,
                  ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(rows <= 1 || stride >= vocab);
  const CrossEntropyKernels& kernels = CpuCrossEntropyKernels();
  pool.ParallelFor(rows, RowGrain(vocab), [&](size_t begin, size_t end, int) {
    for (size_t r = begin; r < end; ++r) {
      ENIGMA_KERNEL_CHECK(targets[r] < 0 || static_cast<size_t>(targets[r]) < vocab);
      losses[r] = targets[r] < 0 ? 0.0 : RowLoss(kernels, logits + r * stride, vocab, targets[r]);
    }
  });
}

void CrossEntropyGradient(float* logits, size_t stride, size_t rows, size_t vocab, const int32_t* targets,
                          double* losses, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(rows <= 1 || stride >= vocab);
  const CrossEntropyKernels& kernels = CpuCrossEntropyKernels();
  pool.ParallelFor(rows, RowGrain(vocab), [&](size_t begin, size_t end, int) {
    for (size_t r = begin; r < end; ++r) {
      ENIGMA_KERNEL_CHECK(targets[r] < 0 || static_cast<size_t>(targets[r]) < vocab);
      float* row = logits + r * stride;
      losses[r] = targets[r] < 0 ? 0.0 : RowGradient(kernels, row, vocab, targets[r]);
      if (targets[r] < 0) std::fill_n(row, vocab, 0.0F);
    }
  });
}

}  // namespace enigma::engine
