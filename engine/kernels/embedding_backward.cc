#include "engine/kernels/embedding_backward.h"

#include <algorithm>
#include <vector>

#include "engine/kernels/add_rows_cpu.h"
#include "engine/kernels/check.h"

namespace enigma::engine {
namespace {

// Numbers of tokens with the same id side by side, those of one id in rising order.
std::vector<uint32_t> TokensById(const int32_t* ids, size_t tokens, size_t vocab) {
  std::vector<uint32_t> next(vocab + 1);
  for (size_t t = 0; t < tokens; ++t) {
    ENIGMA_KERNEL_CHECK(ids[t] >= 0 && static_cast<size_t>(ids[t]) < vocab);
    ++next[static_cast<size_t>(ids[t]) + 1];
  }
  for (size_t id = 1; id < vocab; ++id) next[id] += next[id - 1];
  std::vector<uint32_t> order(tokens);
  for (size_t t = 0; t < tokens; ++t) order[next[static_cast<size_t>(ids[t])]++] = static_cast<uint32_t>(t);
  return order;
}

}  // namespace

void EmbeddingBackward(const float* d_x, size_t stride, const int32_t* ids, size_t tokens, size_t width, size_t vocab,
                       float* d_embedding, ThreadPool& pool) {
  ENIGMA_KERNEL_CHECK((tokens <= 1 || stride >= width) && tokens < uint64_t{1} << 32);
  const AddRowsKernels& kernels = CpuAddRowsKernels();
  const std::vector<uint32_t> order = TokensById(ids, tokens, vocab);
  const size_t share = tokens / (4 * static_cast<size_t>(pool.threads()));
  // Threads share out ids: a range takes all tokens of the ids that begin in it.
  pool.ParallelFor(tokens, std::max(share, RowGrain(width)), [&](size_t begin, size_t end, int) {
    const auto begins_id = [&](size_t i) { return i == 0 || ids[order[i]] != ids[order[i - 1]]; };
    size_t i = begin;
    while (i < end && !begins_id(i)) ++i;
    for (; i < tokens && (i < end || !begins_id(i)); ++i) {
      const size_t t = order[i];
      kernels.add(d_x + t * stride, stride, 1, width, d_embedding + static_cast<size_t>(ids[t]) * width);
    }
  });
}

}  // namespace enigma::engine
