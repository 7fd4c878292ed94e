#include "engine/kernels/rms_norm.h"

#include "engine/kernels/check.h"
#include "engine/kernels/rms_norm_cpu.h"

namespace enigma::engine {

void RmsNorm(const float* x, size_t x_stride, const float* weight, float epsilon, size_t tokens, size_t width,
             float* out, size_t out_stride, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(width > 0 && (tokens <= 1 || (x_stride >= width && out_stride >= width)));
  const RmsNormKernels& kernels = CpuRmsNormKernels();
  pool.ParallelFor(tokens, RowGrain(width), [&](size_t begin, size_t end, int) {
    kernels.rows(x + begin * x_stride, x_stride, weight, epsilon, end - begin, width, out + begin * out_stride,
                 out_stride);
  });
}

}  // namespace enigma::engine
