#include "worker/service/worker_memory.h"

#include <algorithm>

namespace enigma::worker {

uint64_t FreeMemory(const WorkerState& state) {
  const RankRegistry::Memory ranks = state.ranks->memory();
  const uint64_t system = FreeMemory(MemoryLimits{}, 0);
  const uint64_t left = system - std::min(system, ranks.pending_bytes);
  return std::min(left, FreeMemory(state.memory, state.stages.MemoryBytes() + ranks.given_bytes));
}

}  // namespace enigma::worker
