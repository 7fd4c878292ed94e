#pragma once

#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// Has every ready node of the replica drop its stage, all at once. A node that does not is logged: the stage is then an
// orphan, which background/placement_keeper finds in its heartbeats.
void UnloadStages(ControlPlane& plane, const Replica& replica);

// One stage on one node. OK when it is not there.
absl::Status UnloadStage(ControlPlane& plane, const Node& node, uint64_t replica);

}  // namespace enigma::coordinator
