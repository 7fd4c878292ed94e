#include "engine/kernels/column_sums.h"

#include "engine/kernels/add_rows_cpu.h"
#include "engine/kernels/check.h"

namespace enigma::engine {

void AddColumnSums(const float* d_out, size_t stride, size_t tokens, size_t width, float* d_bias, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(tokens <= 1 || stride >= width);
  const AddRowsKernels& kernels = CpuAddRowsKernels();
  pool.ParallelFor(width, ColumnsPerTask(width, pool.threads()), [&](size_t begin, size_t end, int) {
    kernels.add(d_out + begin, stride, tokens, end - begin, d_bias + begin);
  });
}

}  // namespace enigma::engine
