#include "engine/kernels/rope_backward.h"

#include "engine/kernels/check.h"
#include "engine/kernels/rope_cpu.h"

namespace enigma::engine {

void RopeBackward(float* d_x, size_t stride, size_t tokens, size_t heads, size_t head_dim, const uint32_t* positions,
                  const RopeTable& table, RopePairing pairing, ThreadPool& pool) {
  const size_t pairs = table.pairs();
  ENIGMA_KERNEL_CHECK(2 * pairs <= head_dim && (tokens <= 1 || stride >= heads * head_dim));
  const RopeKernels& kernels = CpuRopeKernels();
  const auto turn_back = pairing == RopePairing::kAdjacent ? kernels.adjacent_back : kernels.halves_back;
  pool.ParallelFor(tokens, RowGrain(heads * head_dim), [&](size_t begin, size_t end, int) {
    for (size_t t = begin; t < end; ++t) {
      ENIGMA_KERNEL_CHECK(positions[t] < table.context());
      turn_back(d_x + t * stride, heads, head_dim, table.cosines(positions[t]), table.sines(positions[t]), pairs);
    }
  });
}

}  // namespace enigma::engine
