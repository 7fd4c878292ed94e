#include "engine/kernels/add_rows_cpu.h"

#include "engine/kernels/cpu_target.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/add_rows_cpu.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/simd_inl.h"

#if ENIGMA_KERNEL_TARGET
HWY_BEFORE_NAMESPACE();
namespace enigma::engine::HWY_NAMESPACE {

template <size_t kRows>
HWY_INLINE void AddBlock(const float* x, size_t stride, size_t width, float* sums) {
  const DF d;
  size_t i = 0;
  for (; i + kFloatLanes <= width; i += kFloatLanes) {
    VF sum = hn::LoadU(d, sums + i);
    for (size_t r = 0; r < kRows; ++r) sum = hn::Add(sum, hn::LoadU(d, x + r * stride + i));
    hn::StoreU(sum, d, sums + i);
  }
  for (; i < width; ++i) {
    for (size_t r = 0; r < kRows; ++r) sums[i] += x[r * stride + i];
  }
}

void AddRows(const float* x, size_t stride, size_t rows, size_t width, float* sums) {
  constexpr size_t kBlock = 8;  // rows whose sums stay in a register
  size_t r = 0;
  for (; r + kBlock <= rows; r += kBlock) AddBlock<kBlock>(x + r * stride, stride, width, sums);
  for (; r < rows; ++r) AddBlock<1>(x + r * stride, stride, width, sums);
}

inline constexpr AddRowsKernels kAddRowsKernels = {AddRows};

}  // namespace enigma::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // ENIGMA_KERNEL_TARGET

#if HWY_ONCE
namespace enigma::engine {
ENIGMA_EXPORT_KERNELS(AddRowsKernels, CpuAddRowsKernels, kAddRowsKernels)
}  // namespace enigma::engine
#endif
