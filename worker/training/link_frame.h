#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <grpcpp/support/byte_buffer.h>

namespace enigma::worker {

// What goes over a stream between two ranks: one gRPC message is one frame, a byte that says its kind, then what is of
// that kind. docs/wire.md has the format.
enum class LinkFrameKind : uint8_t {
  kMessage = 1,  // bytes of PeerLinks::Send
  kPulse = 2,    // the sender lives; how many bytes it has taken of what the other one sent
  kAbort = 3,    // the epoch is broken, and why
  kBye = 4,      // the sender is done; nothing follows
};

struct LinkFrame {
  LinkFrameKind kind = LinkFrameKind::kPulse;
  std::vector<uint8_t> message;
  uint64_t taken = 0;
  absl::Status reason;
};

// Takes the bytes over without a copy.
grpc::ByteBuffer MessageFrame(std::vector<uint8_t> message);
grpc::ByteBuffer PulseFrame(uint64_t taken);
grpc::ByteBuffer AbortFrame(const absl::Status& reason);
grpc::ByteBuffer ByeFrame();

// DataLoss where these are no frame's bytes.
absl::StatusOr<LinkFrame> ParseLinkFrame(const grpc::ByteBuffer& buffer);

// A status with the rank that it is due to (engine::LostRank); the text is cut after 1,000 bytes. What cannot be read
// is an error of its own, so that the result is never OK.
std::string EncodeReason(const absl::Status& reason);
absl::Status DecodeReason(std::string_view bytes);

}  // namespace enigma::worker
