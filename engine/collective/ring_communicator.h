#pragma once

#include <memory>

#include "engine/collective/communicator.h"
#include "engine/collective/peer_link.h"

namespace enigma::engine {

// Sums by a ring: each rank sends to the next one alone, and all send at the same time. Every rank sends
// 2 * (size - 1) / size of the values, packed (packed_integers.h). Two threads of its own: one packs and sends, one
// receives and adds.
std::unique_ptr<Communicator> MakeRingCommunicator(std::unique_ptr<PeerLinks> links);

}  // namespace enigma::engine
