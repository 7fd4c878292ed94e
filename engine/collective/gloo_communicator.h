#pragma once

#include <memory>

#include "engine/collective/communicator.h"
#include "engine/collective/gloo_mesh.h"
#include "engine/collective/peer_link.h"

namespace enigma::engine {

// Sums by Gloo's ring, over TCP connections of Gloo's own, for a network that is trusted (gloo_mesh.h); the values
// travel as they are, 8 bytes each. Over the links, which are as safe as those of any other communicator, ranks tell
// each other where to connect, agree on each operation before its data flow, and hear that an epoch is broken and why.
// Connecting begins at once and is awaited by the first operation. Three threads: one for the operations, one that
// listens for the end of the epoch, and Gloo's.
std::unique_ptr<Communicator> MakeGlooCommunicator(std::unique_ptr<PeerLinks> links, GlooOptions options);

}  // namespace enigma::engine
