#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace enigma::coordinator {

struct ReplicaLoad {
  uint64_t replica = 0;
  size_t running = 0;
  size_t running_max = 0;
  bool in_service = false;
  bool stalled = false;  // has work and makes no progress
};

// The index of the replica that should take the next request: in service, with room, not stalled where there is one
// that is not, the fewest running; the oldest of equals. Empty when none has room. Pure.
std::optional<size_t> ChooseReplica(std::span<const ReplicaLoad> replicas);

}  // namespace enigma::coordinator
