#include "engine/kernels/rope.h"

#include "engine/kernels/check.h"
#include "engine/kernels/rope_cpu.h"

namespace enigma::engine {

void Rope(float* x, size_t stride, size_t tokens, size_t heads, size_t head_dim, const uint32_t* positions,
          const RopeTable& table, RopePairing pairing, ThreadPool& pool) {
  const size_t pairs = table.pairs();
  ENIGMA_KERNEL_CHECK(2 * pairs <= head_dim && (tokens <= 1 || stride >= heads * head_dim));
  const RopeKernels& kernels = CpuRopeKernels();
  const auto rotate = pairing == RopePairing::kAdjacent ? kernels.adjacent : kernels.halves;
  pool.ParallelFor(tokens, RowGrain(heads * head_dim), [&](size_t begin, size_t end, int) {
    for (size_t t = begin; t < end; ++t) {
      ENIGMA_KERNEL_CHECK(positions[t] < table.context());
      rotate(x + t * stride, heads, head_dim, table.cosines(positions[t]), table.sines(positions[t]), pairs);
    }
  });
}

}  // namespace enigma::engine
