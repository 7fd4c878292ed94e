#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>
#include <grpcpp/support/byte_buffer.h>

namespace enigma::worker {

// gRPC method and metadata of a link. The stream carries frames as raw messages, from sender to receiver only.
inline constexpr char kStageLinkMethod[] = "/enigma.v1.StageLink/Stream";
inline constexpr char kReplicaMetadata[] = "enigma-replica";
inline constexpr char kStageMetadata[] = "enigma-stage";  // the sender's
inline constexpr char kNodeMetadata[] = "enigma-node";    // the sender's; believed only where nodes prove nothing

// The sending end of the stream between two neighbouring stages (last to first for sampled tokens). Thread-safe.
class StageLink {
 public:
  struct Options {
    uint64_t replica = 0;
    uint32_t from_stage = 0;
    std::string from_node;
    size_t frames_waiting_max = 64;
    absl::Duration accept_timeout = absl::Seconds(5);
    // Called once, on a thread of gRPC's, when the stream ends though nobody here closed it.
    std::function<void(const absl::Status&)> on_lost;
  };
  // Waits until the receiver has accepted the stream; its refusal is the error.
  static absl::StatusOr<std::unique_ptr<StageLink>> Open(const std::shared_ptr<grpc::Channel>& channel,
                                                         Options options);
  // Sends what waits and a bye frame, waits a little for the receiver to end the stream, else cancels it.
  ~StageLink();

  // Does not wait for the network. Unavailable once the link is lost; ResourceExhausted when too many frames wait.
  absl::Status Send(grpc::ByteBuffer frame);
  // Time that frames have waited here until the transport had taken them, all together. Of late frames a little later.
  absl::Duration waited() const;
  // Cancels at once, so that the receiver learns of a failure; on_lost is not called.
  void Abort();

 private:
  class Stream;
  explicit StageLink(std::shared_ptr<Stream> stream);
  // Shared with gRPC, which calls the stream until it is done, perhaps after this object is gone.
  std::shared_ptr<Stream> stream_;
};

}  // namespace enigma::worker
