#pragma once

#include <memory>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>

#include "proto/worker.pb.h"
#include "rpc/channel.h"
#include "rpc/identity.h"

namespace enigma::worker {

// Connections to other nodes of the cluster. Thread-safe: immutable.
class NodeChannels {
 public:
  // Null: --insecure. The identity must outlive this.
  explicit NodeChannels(const NodeIdentity* identity) : identity_(identity) {}

  // A connected channel, with a TCP connection of its own, to the first endpoint that answers as this node. Unavailable
  // that says of each endpoint why it did not, as far as that can be found out before `timeout` is over.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const v1::NodeAddress& node,
                                                         absl::Duration timeout = absl::Seconds(2),
                                                         const ChannelOptions& options = {}) const;

 private:
  const NodeIdentity* const identity_;
};

}  // namespace enigma::worker
