#pragma once

#include <initializer_list>
#include <string>

#include <absl/status/statusor.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>

#include "rpc/certificate.h"

namespace enigma {

// Who is calling, as TLS has proved it.
struct Peer {
  std::string node_id;
  Role role = Role::kWorker;
  // True on a server without TLS, where nobody proves anything: `node_id` is empty and `role` means nothing.
  bool unproved = false;
};

// Decides per call whom a server serves. Immutable, so thread-safe.
class Authoriser {
 public:
  // Serves holders of a certificate of this cluster.
  static Authoriser ForCluster(std::string cluster_id) { return Authoriser(std::move(cluster_id), false); }
  // --insecure: serves everybody.
  static Authoriser Insecure() { return Authoriser("", true); }

  // UNAUTHENTICATED without a certificate of this cluster; PERMISSION_DENIED when the role is not among `roles`.
  [[nodiscard]] absl::StatusOr<Peer> Authorise(const grpc::AuthContext& context,
                                               std::initializer_list<Role> roles) const;
  [[nodiscard]] absl::StatusOr<Peer> Authorise(const grpc::ServerContextBase& context,
                                               std::initializer_list<Role> roles) const {
    return Authorise(*context.auth_context(), roles);
  }
  // Any role.
  [[nodiscard]] absl::StatusOr<Peer> Authorise(const grpc::ServerContextBase& context) const {
    return Authorise(context, {Role::kWorker, Role::kCoordinator, Role::kAdmin});
  }

 private:
  Authoriser(std::string cluster_id, bool insecure) : cluster_id_(std::move(cluster_id)), insecure_(insecure) {}

  std::string cluster_id_;
  bool insecure_;
};

}  // namespace enigma
