#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>

#include "worker/training/rank_mesh.h"

namespace enigma::worker {

// The end at which this rank sends. Thread-safe. Started once; gRPC keeps it until it is done.
class OutgoingStream : public RankStream {
 public:
  struct Options {
    uint64_t job = 0;
    uint64_t epoch = 0;
    std::string node;  // this one; believed only where nodes prove nothing
    uint32_t peer = 0;
  };
  // Begins to open a stream. The mesh is shared, because gRPC may call for longer than anybody else needs it.
  static std::shared_ptr<OutgoingStream> Start(const std::shared_ptr<grpc::Channel>& channel, Options options,
                                               std::shared_ptr<RankMesh> mesh);

  // Whether the receiver has accepted within `timeout`; its refusal is the error, and the end of this stream.
  virtual absl::StatusOr<bool> AwaitAccepted(absl::Duration timeout) = 0;
  // Queues; the mesh has seen to it that there is room.
  virtual void Send(std::vector<uint8_t> message) = 0;
  // Waits until the receiver has ended the stream; else cancels it at `deadline`.
  virtual void AwaitDone(absl::Time deadline) = 0;
};

}  // namespace enigma::worker
