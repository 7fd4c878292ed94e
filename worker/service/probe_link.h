#pragma once

#include <absl/status/statusor.h>

#include "proto/worker.pb.h"
#include "worker/connection/node_channels.h"

namespace enigma::worker {

// Measures round trip (median of small echoes) and bandwidth (echoes of up to a mebibyte) to another worker. At most
// 1,000 round trips and 256 MiB.
absl::StatusOr<v1::ProbeLinkReply> ProbeLink(const NodeChannels& channels, const v1::ProbeLinkRequest& request);

}  // namespace enigma::worker
