#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/channel.h>

#include "coordinator/operations/control_plane.h"
#include "proto/worker.grpc.pb.h"

namespace enigma::coordinator {

// One stage of a replica and the worker that is to run it.
struct StageTarget {
  Node node;
  std::shared_ptr<grpc::Channel> channel;
  enigma::v1::LoadStageRequest request;
  enigma::v1::LoadStageProgress progress;  // the last that was heard
};

// Asked every few tens of milliseconds while a load runs; an error ends the load with it.
using MayGoOn = std::function<absl::Status()>;

// Loads all stages at once. `report` hears of progress, from one thread. The first failure cancels the others and is
// returned with the name of its node.
absl::Status LoadStages(std::vector<StageTarget>& targets, const std::function<void()>& report,
                        const MayGoOn& may_go_on);

// Links each stage to the next, and the last to the first.
absl::Status ConnectStages(std::span<const StageTarget> targets);

}  // namespace enigma::coordinator
