#pragma once

#include <cstdint>

#include "worker/service/worker_state.h"

namespace enigma::worker {

// Bytes that stages and ranks to come may use: what the system leaves, less what ranks that prepare were promised and
// have not taken yet, and the operator's limit less what all of them have, whatever is less. `reserved`: so much of
// what they have is there for who asks, and not in use.
uint64_t FreeMemory(const WorkerState& state, uint64_t reserved = 0);

}  // namespace enigma::worker
