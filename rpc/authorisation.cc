#include "rpc/authorisation.h"

#include <algorithm>
#include <vector>

#include <absl/strings/str_cat.h>
#include <grpc/grpc_security_constants.h>

#include "base/status_macros.h"
#include "base/text.h"

namespace enigma {

absl::StatusOr<Peer> Authoriser::Authorise(const grpc::AuthContext& context, std::initializer_list<Role> roles) const {
  if (insecure_) return Peer{"", Role::kWorker, true};
  if (!context.IsPeerAuthenticated()) {
    return absl::UnauthenticatedError(
        "this call needs a certificate of the cluster; join it first (enigma token create)");
  }
  std::vector<std::string> uris;
  for (const grpc::string_ref& name : context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    uris.emplace_back(name.data(), name.size());
  }
  const auto node = ParseNodeUris(uris);
  if (!node.ok()) return absl::UnauthenticatedError(node.status().message());
  if (node->cluster_id != cluster_id_) {
    return absl::UnauthenticatedError(
        absl::StrCat("node ", node->node_id, " belongs to cluster ", node->cluster_id, ", not to ", cluster_id_));
  }
  if (std::find(roles.begin(), roles.end(), node->role) == roles.end()) {
    return absl::PermissionDeniedError(
        absl::StrCat("this call is not for a node of role ", ToAbsl(RoleName(node->role)), " (", node->node_id, ")"));
  }
  return Peer{node->node_id, node->role, false};
}

}  // namespace enigma
