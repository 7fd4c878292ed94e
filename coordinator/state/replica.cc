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

std::vector<enigma::v1::StagePlacement> Replica::Parts() const {
  std::vector<enigma::v1::StagePlacement> parts = stages;
  if (encoder) parts.push_back(*encoder);
  return parts;
}

bool Replica::UsesNode(std::string_view node_id) const {
  if (encoder && encoder->node_id() == node_id) return true;
  return std::any_of(stages.begin(), stages.end(), [&](const auto& stage) { return stage.node_id() == node_id; });
}

}  // namespace enigma::coordinator
