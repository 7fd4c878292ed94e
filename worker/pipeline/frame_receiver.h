#pragma once

#include <cstdint>
#include <string>

#include <absl/status/status.h>
#include <grpcpp/support/byte_buffer.h>

namespace enigma::worker {

// Who stands at the sending end of a link.
struct LinkPeer {
  uint64_t replica = 0;
  uint32_t stage = 0;
  std::string node_id;
};

// Takes what arrives over a link. Called on gRPC's threads, one call at a time for one link; must not block.
class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;
  // An error ends the link and tells the sender why.
  virtual absl::Status OnFrame(const LinkPeer& peer, grpc::ByteBuffer frame) = 0;
  // Once, when the link has ended, in good order or not.
  virtual void OnLinkLost(const LinkPeer& peer, const absl::Status& reason) = 0;
};

}  // namespace enigma::worker
