#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/server_context.h>

#include "rpc/authorisation.h"
#include "telemetry/metrics.h"

namespace enigma::coordinator {

// The host part of what gRPC calls a peer: "ipv4:10.0.0.2:5123", "ipv6:%5B::1%5D:5123".
std::string HostOfPeer(std::string_view peer);
// The same machine; also IPv4 loopback mapped into IPv6, and Unix sockets.
bool IsLoopbackPeer(std::string_view peer);

// Who may ask what of the coordinator. Immutable but for metrics, so thread-safe.
class Access {
 public:
  // Whether the certificate of this node was revoked.
  using IsRemoved = std::function<bool(std::string_view node_id)>;

  // `no_auth`: inference serves everybody who can connect. `metrics` must outlive this. `is_removed` may be null.
  Access(Authoriser authoriser, bool no_auth, Metrics& metrics, IsRemoved is_removed = nullptr)
      : authoriser_(std::move(authoriser)), no_auth_(no_auth), metrics_(metrics), is_removed_(std::move(is_removed)) {}

  // Inference: a certificate of the cluster, or a caller on this machine, or no_auth.
  absl::Status ForInference(const grpc::ServerContextBase& context, std::string_view peer) const;
  // Inference over HTTP: a caller on this machine, or no_auth.
  absl::Status ForHttp(std::string_view authorization, bool from_this_machine) const;
  // Administration: an admin's or a coordinator's certificate; with --insecure, a caller on this machine.
  absl::Status ForAdministration(const grpc::ServerContextBase& context, std::string_view peer) const;
  // Nodes among themselves: any certificate of the cluster. With --insecure, everybody.
  absl::StatusOr<Peer> ForNodes(const grpc::ServerContextBase& context) const;

 private:
  absl::StatusOr<Peer> Identify(const grpc::ServerContextBase& context) const;
  absl::Status Refuse(absl::Status why) const;

  const Authoriser authoriser_;
  const bool no_auth_;
  Metrics& metrics_;
  const IsRemoved is_removed_;
};

}  // namespace enigma::coordinator
