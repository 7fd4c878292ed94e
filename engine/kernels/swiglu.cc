#include "engine/kernels/swiglu.h"

#include <vector>

#include "engine/kernels/check.h"
#include "engine/kernels/swiglu_cpu.h"

namespace enigma::engine {

void SwiGlu(const float* gate, size_t gate_stride, const float* up, size_t up_stride, size_t tokens, size_t width,
            float* out, size_t out_stride, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(tokens <= 1 || (gate_stride >= width && up_stride >= width && out_stride >= width));
  const SwiGluKernels& kernels = CpuSwiGluKernels();
  pool.ParallelFor(tokens, RowGrain(width), [&](size_t begin, size_t end, int) {
    for (size_t t = begin; t < end; ++t) {
      kernels.swiglu(gate + t * gate_stride, up + t * up_stride, width, out + t * out_stride);
    }
  });
}

void Silu(float* x, size_t stride, size_t tokens, size_t width, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(tokens <= 1 || stride >= width);
  const SwiGluKernels& kernels = CpuSwiGluKernels();
  const std::vector<float> ones(width, 1.0F);
  pool.ParallelFor(tokens, RowGrain(width), [&](size_t begin, size_t end, int) {
    for (size_t t = begin; t < end; ++t) kernels.swiglu(x + t * stride, ones.data(), width, x + t * stride);
  });
}

void AddRows(float* x, size_t x_stride, const float* y, size_t y_stride, size_t tokens, size_t width,
             ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(tokens <= 1 || x_stride >= width);
  const SwiGluKernels& kernels = CpuSwiGluKernels();
  pool.ParallelFor(tokens, RowGrain(width), [&](size_t begin, size_t end, int) {
    for (size_t t = begin; t < end; ++t) kernels.add(x + t * x_stride, y + t * y_stride, width);
  });
}

void AddBias(float* x, size_t stride, const float* bias, size_t tokens, size_t width, ThreadPool& pool) {
  AddRows(x, stride, bias, 0, tokens, width, pool);
}

}  // namespace enigma::engine
