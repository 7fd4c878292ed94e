#include "engine/kernels/column_sums.h"

#include <algorithm>

#include "engine/kernels/add_rows_cpu.h"
#include "engine/kernels/check.h"

namespace enigma::engine {

void AddColumnSums(const float* d_out, size_t stride, size_t tokens, size_t width, float* d_bias, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(tokens <= 1 || stride >= width);
  const AddRowsKernels& kernels = CpuAddRowsKernels();
  // Threads share out columns, so that each sum has one order: pieces of rows long enough to be fetched ahead.
  constexpr size_t kLeast = 256;
  const size_t share = width / (4 * static_cast<size_t>(pool.threads())) / kLeast * kLeast;
  pool.ParallelFor(width, std::max(share, kLeast), [&](size_t begin, size_t end, int) {
    kernels.add(d_out + begin, stride, tokens, end - begin, d_bias + begin);
  });
}

}  // namespace enigma::engine
