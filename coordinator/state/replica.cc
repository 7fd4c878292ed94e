#include "coordinator/state/replica.h"

#include <algorithm>

namespace enigma::coordinator {

std::string_view ReplicaStateName(ReplicaState state) {
  switch (state) {
    case ReplicaState::kLoading:
      return "loading";
    case ReplicaState::kReady:
      return "ready";
    case ReplicaState::kFailed:
      return "failed";
  }
  return "unknown";
}

bool MayMove(ReplicaState from, ReplicaState to) {
  switch (from) {
    case ReplicaState::kLoading:
      return to == ReplicaState::kReady || to == ReplicaState::kFailed;
    case ReplicaState::kReady:
      return to == ReplicaState::kFailed;
    case ReplicaState::kFailed:
      return false;
  }
  return false;
}

bool Replica::UsesNode(std::string_view node_id) const {
  return std::any_of(stages.begin(), stages.end(), [&](const auto& stage) { return stage.node_id() == node_id; });
}

}  // namespace enigma::coordinator
