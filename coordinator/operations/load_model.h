#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

struct LoadCall {
  std::string model;
  enigma::v1::PlanOptions options;
  // The wanted placement that this load fulfils; 0 makes a new one once the replica is ready.
  uint64_t wanted = 0;
  // Without this, a new placement of a model that is in service as asked is that replica, and otherwise an error.
  bool another_replica = false;
  std::function<void(const enigma::v1::LoadProgress&)> progress;  // from one thread; may be null
  std::function<bool()> cancelled;                                // may be null
};

struct LoadedModel {
  Replica replica;
  bool was_loaded = false;  // before this call, which changed nothing
};

// Waits for nodes that still measure themselves, plans, has the workers fetch and pack their stages, links them,
// attaches the token streams and puts the replica into service. On failure nothing of it is left, and the error names
// the node. FAILED_PRECONDITION when no plan is feasible. Where the model's name gets other content meanwhile, that is
// what is loaded.
absl::StatusOr<LoadedModel> LoadModel(ControlPlane& plane, const LoadCall& call);

}  // namespace enigma::coordinator
