#include "coordinator/gateway/access.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

namespace enigma::coordinator {

std::string HostOfPeer(std::string_view peer) {
  const size_t kind = peer.find(':');
  const size_t port = peer.rfind(':');
  if (kind == std::string_view::npos || port <= kind) return "";
  std::string host(peer.substr(kind + 1, port - kind - 1));
  host = absl::StrReplaceAll(host, {{"%5B", ""}, {"%5D", ""}, {"[", ""}, {"]", ""}, {"%25", "%"}});
  constexpr std::string_view kMapped = "::ffff:";
  if (host.starts_with(kMapped) && host.find('.') != std::string::npos) host.erase(0, kMapped.size());
  return host;
}

bool IsLoopbackPeer(std::string_view peer) {
  if (peer.starts_with("unix:")) return true;
  const std::string host = HostOfPeer(peer);
  return host == "::1" || absl::StartsWith(host, "127.");
}

absl::Status Access::Refuse(absl::Status why) const {
  metrics_.Counter(Metric::kUnauthorisedCalls).Increment();
  return why;
}

absl::StatusOr<Peer> Access::Identify(const grpc::ServerContextBase& context) const {
  absl::StatusOr<Peer> caller = authoriser_.Authorise(context);
  if (caller.ok() && !caller->unproved && is_removed_ && is_removed_(caller->node_id)) {
    return absl::PermissionDeniedError(
        absl::StrCat("node ", caller->node_id, " was removed from this cluster and its certificate is revoked; to let ",
                     "it in again, delete its pki/node.pem and start it with a new token (`enigma token create`)"));
  }
  return caller;
}

absl::Status Access::ForInference(const grpc::ServerContextBase& context, std::string_view peer) const {
  if (no_auth_ || IsLoopbackPeer(peer)) return absl::OkStatus();
  const absl::StatusOr<Peer> caller = Identify(context);
  if (absl::IsPermissionDenied(caller.status())) return Refuse(caller.status());
  if (caller.ok() && !caller->unproved) return absl::OkStatus();
  return Refuse(absl::UnauthenticatedError(
      "inference is open to callers on this machine and to holders of a certificate of this cluster; "
      "start the coordinator with --no-auth to serve everybody who can connect"));
}

absl::Status Access::ForHttp(std::string_view /*authorization*/, bool from_this_machine) const {
  if (no_auth_ || from_this_machine) return absl::OkStatus();
  return Refuse(absl::UnauthenticatedError(
      "the HTTP API is open to callers on the coordinator's own machine; start it with --no-auth to serve everybody"));
}

absl::Status Access::ForAdministration(const grpc::ServerContextBase& context, std::string_view peer) const {
  const absl::StatusOr<Peer> caller = authoriser_.Authorise(context, {Role::kAdmin, Role::kCoordinator});
  if (!caller.ok()) return Refuse(caller.status());
  if (caller->unproved && !IsLoopbackPeer(peer)) {
    return Refuse(absl::UnauthenticatedError(
        "this cluster runs with --insecure, where only callers on the coordinator's own machine may administer it"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Peer> Access::ForNodes(const grpc::ServerContextBase& context) const {
  absl::StatusOr<Peer> caller = Identify(context);
  if (!caller.ok()) return Refuse(caller.status());
  return caller;
}

}  // namespace enigma::coordinator
