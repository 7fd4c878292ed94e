#include "coordinator/routing/choose_replica.h"

#include <tuple>

namespace enigma::coordinator {

std::optional<size_t> ChooseReplica(std::span<const ReplicaLoad> replicas) {
  std::optional<size_t> chosen;
  for (size_t i = 0; i < replicas.size(); ++i) {
    const ReplicaLoad& load = replicas[i];
    if (!load.in_service || load.running >= load.running_max) continue;
    if (chosen) {
      const ReplicaLoad& best = replicas[*chosen];
      if (std::tie(load.stalled, load.running, load.replica) > std::tie(best.stalled, best.running, best.replica)) {
        continue;
      }
    }
    chosen = i;
  }
  return chosen;
}

}  // namespace enigma::coordinator
