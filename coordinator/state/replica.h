#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/state/model.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

enum class ReplicaState { kLoading, kReady, kFailed };
std::string_view ReplicaStateName(ReplicaState state);

// loading -> ready -> failed, or loading -> failed.
bool MayMove(ReplicaState from, ReplicaState to);

// A whole copy of a model on workers, or on its way there; plain data, given out as copies.
struct Replica {
  uint64_t id = 0;
  uint64_t wanted = 0;  // the wanted placement that it fulfils
  ModelPtr model;
  ReplicaState state = ReplicaState::kLoading;
  std::vector<enigma::v1::StagePlacement> stages;
  std::string failure;
  bool was_ready = false;  // while false, the operation that loads it also cleans up
  std::string contract;    // numeric contract of its stages; several are joined with '+'
  uint32_t context = 0;    // longest sequence in tokens
  uint32_t kv_blocks = 0;

  [[nodiscard]] bool UsesNode(std::string_view node_id) const;
};

}  // namespace enigma::coordinator
