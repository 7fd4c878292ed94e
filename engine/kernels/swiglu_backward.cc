#include "engine/kernels/swiglu_backward.h"

#include "engine/kernels/check.h"
#include "engine/kernels/swiglu_backward_cpu.h"

namespace enigma::engine {

void SwiGluBackward(const float* d_out, size_t d_out_stride, const float* gate, size_t gate_stride, const float* up,
                    size_t up_stride, size_t tokens, size_t width, float* d_gate, size_t d_gate_stride, float* d_up,
                    size_t d_up_stride, float* out, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(tokens <= 1 || (d_out_stride >= width && gate_stride >= width && up_stride >= width &&
                                      d_gate_stride >= width && d_up_stride >= width));
  const SwiGluBackwardKernels& kernels = CpuSwiGluBackwardKernels();
  pool.ParallelFor(tokens, RowGrain(width), [&](size_t begin, size_t end, int) {
    for (size_t t = begin; t < end; ++t) {
      kernels.row(d_out + t * d_out_stride, gate + t * gate_stride, up + t * up_stride, width,
                  d_gate + t * d_gate_stride, d_up + t * d_up_stride, out == nullptr ? nullptr : out + t * width);
    }
  });
}

}  // namespace enigma::engine
