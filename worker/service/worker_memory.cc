#include "worker/service/worker_memory.h"

#include <algorithm>

namespace enigma::worker {

uint64_t FreeMemory(const WorkerState& state, uint64_t reserved) {
  const RankRegistry::Memory ranks = state.ranks->memory();
  const uint64_t system = FreeMemory(MemoryLimits{}, 0);
  const uint64_t left = system - std::min(system, ranks.pending_bytes);
  const uint64_t held = state.stages.MemoryBytes() + state.encoders.MemoryBytes();
  return std::min(left, FreeMemory(state.memory, held - std::min(held, reserved) + ranks.given_bytes));
}

}  // namespace enigma::worker
