#include "worker/service/connect_stage.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::worker {

absl::Status ConnectStage(WorkerState& state, const v1::ConnectStageRequest& request) {
  ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<StageExecutor> stage, state.stages.Find(request.replica()));
  if (stage->options().stage_count == 1) return absl::OkStatus();
  if (request.next().endpoints().empty()) {
    return absl::InvalidArgumentError(absl::StrCat("replica ", request.replica(), " has ", stage->options().stage_count,
                                                   " stages; the next one's ", "address is missing"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const auto channel,
                          state.channels.Connect(request.next(), absl::Seconds(2), StageLinkChannel()));
  return stage->Connect(channel, request.next().node_id());
}

}  // namespace enigma::worker
