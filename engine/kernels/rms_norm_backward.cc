#include "engine/kernels/rms_norm_backward.h"

#include <algorithm>
#include <vector>

#include "engine/kernels/check.h"
#include "engine/kernels/rms_norm_backward_cpu.h"

namespace enigma::engine {

void RmsNormBackward(const float* d_out, size_t d_out_stride, const float* x, size_t x_stride, const float* weight,
                     float epsilon, size_t tokens, size_t width, float* d_x, size_t d_x_stride, float* d_weight,
                     ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(width > 0 &&
                      (tokens <= 1 || (d_out_stride >= width && x_stride >= width && d_x_stride >= width)));
  const RmsNormBackwardKernels& kernels = CpuRmsNormBackwardKernels();
  std::vector<float> scales(tokens);
  pool.ParallelFor(tokens, RowGrain(width), [&](size_t begin, size_t end, int) {
    for (size_t t = begin; t < end; ++t) scales[t] = kernels.scale(x + t * x_stride, epsilon, width);
  });
  // First the weights, which read d_out: threads share out its columns, so that each sum has one order.
  constexpr size_t kColumns = 64;
  pool.ParallelFor((width + kColumns - 1) / kColumns, RowGrain(tokens * kColumns), [&](size_t begin, size_t end, int) {
    const size_t first = begin * kColumns;
    const size_t columns = std::min(end * kColumns, width) - first;
    for (size_t t = 0; t < tokens; ++t) {
      kernels.weight_row(d_out + t * d_out_stride + first, x + t * x_stride + first, scales[t], columns,
                         d_weight + first);
    }
  });
  pool.ParallelFor(tokens, RowGrain(width), [&](size_t begin, size_t end, int) {
    for (size_t t = begin; t < end; ++t) {
      kernels.row(d_out + t * d_out_stride, x + t * x_stride, weight, scales[t], width, d_x + t * d_x_stride);
    }
  });
}

}  // namespace enigma::engine
