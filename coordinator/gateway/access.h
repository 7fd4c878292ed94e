#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/server_context.h>

#include "coordinator/gateway/caller.h"
#include "coordinator/state/api_key_registry.h"
#include "rpc/authorisation.h"
#include "telemetry/metrics.h"

namespace enigma::coordinator {

// The host part of what gRPC calls a peer: "ipv4:10.0.0.2:5123", "ipv6:%5B::1%5D:5123".
std::string HostOfPeer(std::string_view peer);
// The same machine; also IPv4 loopback mapped into IPv6, and Unix sockets.
bool IsLoopbackPeer(std::string_view peer);
// A host as a server listens on it: "127.0.0.1", "::1", "localhost".
bool IsLoopbackHost(std::string_view host);

// Who may ask what of the coordinator. Immutable but for metrics, so thread-safe.
//
// Inference, over HTTP and gRPC alike, is for who shows "authorization: Bearer enk-..." with a key that is good now,
// and without a key for callers on this machine and, over gRPC, for holders of a certificate of the cluster. A key that
// is shown is always checked, so that a mistyped one is not served by accident: only with no_auth, which serves
// everybody, are texts that do not look like a key of this cluster ignored, since many clients cannot go without one.
class Access {
 public:
  // Whether the certificate of this node was revoked.
  using IsRemoved = std::function<bool(std::string_view node_id)>;

  // `no_auth`: inference serves everybody who can connect. `keys` and `metrics` must outlive this. `is_removed` may be
  // null.
  Access(Authoriser authoriser, bool no_auth, ApiKeyRegistry& keys, Metrics& metrics, IsRemoved is_removed = nullptr)
      : authoriser_(std::move(authoriser)),
        no_auth_(no_auth),
        keys_(keys),
        metrics_(metrics),
        is_removed_(std::move(is_removed)) {}

  // Inference over gRPC. UNAUTHENTICATED, or PERMISSION_DENIED for a node that was removed.
  absl::StatusOr<Caller> ForInference(const grpc::ServerContextBase& context, std::string_view peer) const;
  // Inference over HTTP; `authorization` is that header, empty where there is none. UNAUTHENTICATED.
  absl::StatusOr<Caller> ForHttp(std::string_view authorization, bool from_this_machine) const;
  // Administration: an admin's or a coordinator's certificate; with --insecure, a caller on this machine.
  absl::StatusOr<Peer> ForAdministration(const grpc::ServerContextBase& context, std::string_view peer) const;
  // Nodes among themselves: any certificate of the cluster. With --insecure, everybody.
  absl::StatusOr<Peer> ForNodes(const grpc::ServerContextBase& context) const;

 private:
  absl::StatusOr<Peer> Identify(const grpc::ServerContextBase& context) const;
  // The caller that the header names by a key; nothing when there is no header, or when it does not matter.
  absl::StatusOr<std::optional<Caller>> ByKey(std::string_view authorization) const;
  absl::Status Refuse(absl::Status why) const;

  const Authoriser authoriser_;
  const bool no_auth_;
  ApiKeyRegistry& keys_;
  Metrics& metrics_;
  const IsRemoved is_removed_;
};

}  // namespace enigma::coordinator
