#include "coordinator/gateway/access.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include "base/status_macros.h"
#include "base/text.h"

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
  return IsLoopbackHost(HostOfPeer(peer));
}

bool IsLoopbackHost(std::string_view host) { return host == "::1" || host == "localhost" || host.starts_with("127."); }

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

absl::StatusOr<std::optional<Caller>> Access::ByKey(std::string_view authorization) const {
  if (authorization.empty()) return std::nullopt;
  constexpr std::string_view kScheme = "Bearer ";
  const bool is_bearer = absl::StartsWithIgnoreCase(ToAbsl(authorization), ToAbsl(kScheme));
  const absl::string_view secret =
      absl::StripAsciiWhitespace(ToAbsl(authorization.substr(is_bearer ? kScheme.size() : 0)));
  const bool looks_like_a_key = is_bearer && absl::StartsWith(secret, ToAbsl(kApiKeyPrefix));
  if (!looks_like_a_key && no_auth_) return std::nullopt;
  if (!looks_like_a_key) {
    return absl::UnauthenticatedError(
        "the authorization header shows no API key of this cluster: it is to read \"Bearer enk-...\", with what "
        "`enigma keys create` printed; callers on the coordinator's own machine may leave it out");
  }
  ENIGMA_ASSIGN_OR_RETURN(ApiKeyPtr key, keys_.Check(ToStd(secret)));
  std::string who = absl::StrCat("key ", key->id);
  return Caller{std::move(who), std::move(key)};
}

absl::StatusOr<Caller> Access::ForInference(const grpc::ServerContextBase& context, std::string_view peer) const {
  const auto& metadata = context.client_metadata();
  const auto header = metadata.find("authorization");
  const std::string_view authorization =
      header == metadata.end() ? std::string_view() : std::string_view(header->second.data(), header->second.size());
  absl::StatusOr<std::optional<Caller>> by_key = ByKey(authorization);
  if (!by_key.ok()) return Refuse(by_key.status());
  if (by_key->has_value()) return **std::move(by_key);
  if (IsLoopbackPeer(peer)) return Caller{"this machine", nullptr};
  if (no_auth_) return Caller{"anybody", nullptr};
  const absl::StatusOr<Peer> caller = Identify(context);
  if (absl::IsPermissionDenied(caller.status())) return Refuse(caller.status());
  if (caller.ok() && !caller->unproved) return Caller{absl::StrCat("node ", caller->node_id), nullptr};
  return Refuse(absl::UnauthenticatedError(
      "inference is open to holders of an API key (metadata \"authorization: Bearer enk-...\"; `enigma keys create` "
      "makes one) or of a certificate of this cluster, and to callers on the coordinator's own machine; start the "
      "coordinator with --no-auth to serve everybody who can connect"));
}

absl::StatusOr<Caller> Access::ForHttp(std::string_view authorization, bool from_this_machine) const {
  absl::StatusOr<std::optional<Caller>> by_key = ByKey(authorization);
  if (!by_key.ok()) return Refuse(by_key.status());
  if (by_key->has_value()) return **std::move(by_key);
  if (from_this_machine) return Caller{"this machine", nullptr};
  if (no_auth_) return Caller{"anybody", nullptr};
  return Refuse(
      absl::UnauthenticatedError("an API key is needed: send \"Authorization: Bearer enk-...\" with a key that `enigma "
                                 "keys create` made, or start "
                                 "the coordinator with --no-auth to serve everybody who can connect"));
}

absl::StatusOr<Peer> Access::ForAdministration(const grpc::ServerContextBase& context, std::string_view peer) const {
  absl::StatusOr<Peer> caller = authoriser_.Authorise(context, {Role::kAdmin, Role::kCoordinator});
  if (!caller.ok()) return Refuse(caller.status());
  if (caller->unproved && !IsLoopbackPeer(peer)) {
    return Refuse(absl::UnauthenticatedError(
        "this cluster runs with --insecure, where only callers on the coordinator's own machine may administer it"));
  }
  return caller;
}

absl::StatusOr<Peer> Access::ForNodes(const grpc::ServerContextBase& context) const {
  absl::StatusOr<Peer> caller = Identify(context);
  if (!caller.ok()) return Refuse(caller.status());
  return caller;
}

}  // namespace enigma::coordinator
