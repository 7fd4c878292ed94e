#pragma once

#include <absl/status/status.h>

#include "worker/service/worker_state.h"

namespace enigma::worker {

// Opens a stage's link to the next one; nothing to do for a replica of one stage.
absl::Status ConnectStage(WorkerState& state, const v1::ConnectStageRequest& request);

}  // namespace enigma::worker
