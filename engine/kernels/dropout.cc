#include "engine/kernels/dropout.h"

#include <cmath>

#include "engine/kernels/check.h"
#include "engine/kernels/dropout_cpu.h"

namespace enigma::engine {
namespace {

DropoutMask Mask(float probability, const DropoutKey& key) {
  constexpr uint32_t kWeyl[2] = {0x9E3779B9, 0xBB67AE85};
  DropoutMask mask{};
  for (uint32_t round = 0; round < kPhiloxRounds; ++round) {
    mask.keys[round] = {static_cast<uint32_t>(key.seed) + round * kWeyl[0],
                        static_cast<uint32_t>(key.seed >> 32) + round * kWeyl[1]};
  }
  mask.stream = {static_cast<uint32_t>(key.stream), static_cast<uint32_t>(key.stream >> 32)};
  const double kept = 1 - static_cast<double>(probability);
  mask.threshold = static_cast<int32_t>(std::floor(static_cast<double>(probability) * 0x1p32) - 0x1p31);
  mask.scale = static_cast<float>(1 / kept);
  return mask;
}

}  // namespace

void Dropout(float* x, size_t stride, size_t tokens, size_t width, float probability, const DropoutKey& key,
             uint64_t first_row, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(tokens <= 1 || stride >= width);
  ENIGMA_KERNEL_CHECK(0 <= probability && probability < 1);
  ENIGMA_KERNEL_CHECK(first_row + tokens <= uint64_t{1} << 32 && width <= uint64_t{1} << 32);
  if (probability == 0) return;
  const DropoutKernels& kernels = CpuDropoutKernels();
  const DropoutMask mask = Mask(probability, key);
  pool.ParallelFor(tokens, RowGrain(width), [&](size_t begin, size_t end, int) {
    for (size_t t = begin; t < end; ++t) {
      kernels.row(mask, static_cast<uint32_t>(first_row + t), width, x + t * stride);
    }
  });
}

}  // namespace enigma::engine
