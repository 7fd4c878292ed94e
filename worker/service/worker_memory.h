#pragma once

#include <cstdint>

#include "worker/service/worker_state.h"

namespace enigma::worker {

// Bytes that stages and ranks to come may use: what the system leaves, less what ranks that prepare were promised and
// have not taken yet, and the operator's limit less what all of them have, whatever is less.
uint64_t FreeMemory(const WorkerState& state);

}  // namespace enigma::worker
