#include "engine/kernels/embedding_backward.h"

#include <algorithm>

#include "engine/kernels/add_rows_cpu.h"
#include "engine/kernels/check.h"

namespace enigma::engine {

void EmbeddingBackward(const float* d_x, size_t stride, const int32_t* ids, size_t tokens, size_t width, size_t vocab,
                       float* d_embedding, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK(tokens <= 1 || stride >= width);
  for (size_t t = 0; t < tokens; ++t) ENIGMA_KERNEL_CHECK(ids[t] >= 0 && static_cast<size_t>(ids[t]) < vocab);
  const AddRowsKernels& kernels = CpuAddRowsKernels();
  pool.ParallelFor(width, ColumnsPerTask(width, pool.threads()), [&](size_t begin, size_t end, int) {
    for (size_t t = 0; t < tokens; ++t) {
      kernels.add(d_x + t * stride + begin, stride, 1, end - begin,
                  d_embedding + static_cast<size_t>(ids[t]) * width + begin);
    }
  });
}

}  // namespace enigma::engine
