#pragma once

#include <optional>
#include <span>
#include <string>

#include <absl/time/time.h>

#include "coordinator/state/node.h"
#include "coordinator/state/replica.h"

namespace enigma::coordinator {

// A stage that has had work for longer than `limit` without finishing a step, as the nodes' last heartbeats tell; empty
// while the replica gets on, or has nothing to do. The first stage counts as busy while it waits for the others, so of
// several the one furthest from it is named. Pure.
std::optional<Stall> StallOf(const Replica& replica, std::span<const Node> nodes, absl::Duration limit);

}  // namespace enigma::coordinator
