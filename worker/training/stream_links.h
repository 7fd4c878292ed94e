#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "engine/collective/peer_link.h"
#include "proto/worker.pb.h"
#include "worker/connection/node_channels.h"
#include "worker/training/incoming_streams.h"

namespace enigma::worker {

struct StreamLinksOptions {
  uint64_t job = 0;
  uint64_t epoch = 0;
  uint32_t rank = 0;                   // of this worker
  std::vector<v1::NodeAddress> ranks;  // in order, this worker included
  // For everybody to be there: ranks hear of an epoch one after another.
  absl::Duration open_timeout = absl::Seconds(10);
  // A peer of which nothing is heard for so long is lost, and so is one that answers nothing for so long when a link to
  // it is opened. Counted in pulses, so a process that was stopped itself does not hold that against the others at
  // once.
  absl::Duration silence = absl::Seconds(1);
  size_t window_bytes = 8 << 20;  // on their way to one peer, until it has taken them
  // Notified by another thread: Open gives up.
  const absl::Notification* cancelled = nullptr;
};

// Links of one epoch over the workers' own streams: this worker opens one to every other rank, and takes one from each.
// Waits until all of them stand. `incoming` is what this worker's StreamLinksService hands streams to; it outlives the
// links. The error names the node that was not to be had; engine::LostRank of it tells its rank, as it does of all
// errors of the links that are due to one rank.
absl::StatusOr<std::unique_ptr<engine::PeerLinks>> OpenStreamLinks(StreamLinksOptions options,
                                                                   const NodeChannels& channels,
                                                                   IncomingStreams& incoming);

}  // namespace enigma::worker
