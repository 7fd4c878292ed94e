#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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

// Why a replica in service makes no progress though it has work.
struct Stall {
  std::string node_id;
  std::string reason;  // a sentence that names stage, model and node
};

// A whole copy of a model on workers, or on its way there; plain data, given out as copies.
struct Replica {
  uint64_t id = 0;
  uint64_t wanted = 0;  // the wanted placement that it fulfils
  ModelPtr model;
  ReplicaState state = ReplicaState::kLoading;
  std::vector<enigma::v1::StagePlacement> stages;
  std::optional<enigma::v1::StagePlacement>
      encoder;  // of a model that takes pictures; its stage_index and layers are 0
  std::string failure;
  bool on_demand = false;  // loaded because a request wanted it (PlanOptions.on_demand)
  bool was_ready = false;  // while false, the operation that loads it also cleans up
  std::string contract;    // numeric contract of its stages; several are joined with '+'
  uint32_t context = 0;    // longest sequence in tokens
  uint32_t kv_blocks = 0;
  std::optional<Stall> stall;  // empty: it makes progress, or has nothing to do

  [[nodiscard]] bool serves() const { return state == ReplicaState::kReady && !stall; }
  // The stages, and the encoder behind them where there is one.
  [[nodiscard]] std::vector<enigma::v1::StagePlacement> Parts() const;
  [[nodiscard]] bool UsesNode(std::string_view node_id) const;
};

}  // namespace enigma::coordinator
