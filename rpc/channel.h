#pragma once

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>

#include "rpc/identity.h"

namespace enigma {

// Who must be at the other end of a channel; TLS ends the handshake with anybody else.
class ExpectedPeer {
 public:
  static ExpectedPeer AnyNode() { return ExpectedPeer(AnyNodeTlsName()); }
  static ExpectedPeer Node(const std::string& node_id) { return ExpectedPeer(NodeTlsName(node_id)); }
  static ExpectedPeer Coordinator() { return ExpectedPeer(RoleTlsName(Role::kCoordinator)); }

  [[nodiscard]] const std::string& tls_name() const { return tls_name_; }

 private:
  explicit ExpectedPeer(std::string tls_name) : tls_name_(std::move(tls_name)) {}
  std::string tls_name_;
};

struct ChannelOptions {
  // HTTP/2 pings, also without calls: a host that vanished fails its calls after about their sum.
  absl::Duration ping_every = absl::Seconds(2);
  absl::Duration ping_timeout = absl::Seconds(5);
  // Longest time for one attempt to connect, and the longest pause between two.
  absl::Duration connect_timeout = absl::Seconds(2);
  // A TCP connection of its own: bulk traffic of one channel does not hold up another to the same peer.
  bool own_connection = true;
};

// For the link between two stages: between hosts that still reach everybody else, nothing but its own pings tells that
// it is cut. gRPC sends at most one a second.
inline ChannelOptions StageLinkChannel() {
  return {.ping_every = absl::Milliseconds(500), .ping_timeout = absl::Milliseconds(800)};
}

// A channel to "host:port" or "[v6]:port". A null identity makes a plain-text channel (--insecure), which checks
// nothing. Connects when first used.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& endpoint, const NodeIdentity* identity,
                                           const ExpectedPeer& expected, const ChannelOptions& options = {});

// A channel that trusts `ca_certificate_pem` and shows no certificate: for joining.
std::shared_ptr<grpc::Channel> MakeJoinChannel(const std::string& endpoint, const std::string& ca_certificate_pem);

// Why a channel does not come up, as a sentence: it dials once more by itself and looks. UNAVAILABLE when nobody
// answers, UNAUTHENTICATED when the other side is of another cluster or another node, FAILED_PRECONDITION when a
// certificate is not valid at `now` (with the clock skew), OK when nothing is wrong (any more).
absl::Status DiagnoseChannel(const std::string& endpoint, const NodeIdentity* identity, const ExpectedPeer& expected,
                             absl::Time now, absl::Duration timeout = absl::Seconds(3));

}  // namespace enigma
