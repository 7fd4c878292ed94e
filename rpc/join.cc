#include "rpc/join.h"

#include <algorithm>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpcpp/client_context.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "proto/membership.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/clock_skew.h"
#include "rpc/endpoint.h"
#include "rpc/status_conversion.h"
#include "rpc/tls_probe.h"

namespace enigma {
namespace {

constexpr size_t kNonceBytes = 32;

// The CA certificate (PEM) that the token pins, from what the server shows; checks that it vouches for the server.
absl::StatusOr<std::string> FindPinnedCa(const JoinToken& token, const JoinOptions& options, absl::Time now) {
  ENIGMA_ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(options.endpoint, 50051));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain, FetchServerChain(endpoint, options.timeout));
  const auto pinned = std::find_if(chain.begin(), chain.end(),
                                   [&](const X509Ptr& shown) { return PublicKeyPin(*shown) == token.ca_pin; });
  if (pinned == chain.end()) {
    return absl::UnauthenticatedError(
        absl::StrCat("the coordinator at ", options.endpoint,
                     " is not the one that made this token: its CA is another one. Is the "
                     "token from another cluster, or was the coordinator set up anew?"));
  }
  const auto server = VerifyNodeCertificate(*chain.front(), **pinned, now);
  if (!server.ok()) {
    return absl::Status(server.status().code(),
                        absl::StrCat("the coordinator at ", options.endpoint, ": ", server.status().message()));
  }
  if (server->role != Role::kCoordinator || server->cluster_id != token.cluster_id) {
    return absl::UnauthenticatedError(absl::StrCat(options.endpoint, " is ", ToAbsl(RoleName(server->role)), " ",
                                                   server->node_id, " of cluster ", server->cluster_id,
                                                   ", not the coordinator of cluster ", token.cluster_id));
  }
  return CertificatePem(**pinned);
}

absl::StatusOr<v1::JoinRequest> MakeRequest(const JoinToken& token, const JoinOptions& options, const NodeKeys& keys) {
  v1::JoinRequest request;
  request.set_cluster_id(token.cluster_id);
  request.set_token_id(token.token_id);
  request.set_node_id(options.node_id);
  request.set_role(std::string(RoleName(options.role)));
  std::string nonce(kNonceBytes, '\0');
  SystemRandomBytes(nonce.data(), nonce.size());
  request.set_nonce(nonce);
  ENIGMA_ASSIGN_OR_RETURN(*request.mutable_certificate_request(),
                          MakeCertificateRequest(keys, token.cluster_id, options.node_id, options.role));
  ENIGMA_ASSIGN_OR_RETURN(*request.mutable_proof(), ProveJoin(token, nonce, request.certificate_request()));
  return request;
}

}  // namespace

absl::StatusOr<NodeIdentity> JoinCluster(const JoinToken& token, const JoinOptions& options, const Clock& clock) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string ca_pem, FindPinnedCa(token, options, clock.Now()));
  ENIGMA_ASSIGN_OR_RETURN(const NodeKeys keys, NodeKeys::Generate());
  ENIGMA_ASSIGN_OR_RETURN(const v1::JoinRequest request, MakeRequest(token, options, keys));
  const auto stub = v1::Membership::NewStub(MakeJoinChannel(options.endpoint, ca_pem));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + options.timeout));
  v1::JoinReply reply;
  if (const grpc::Status status = stub->Join(&context, request, &reply); !status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                        absl::StrCat("joining at ", options.endpoint, ": ", status.error_message()));
  }
  const absl::Time now = clock.Now();
  auto identity = AssembleIdentity(keys, reply.certificate(), ca_pem, now);
  if (!identity.ok()) {
    const std::string skew = DescribeClockSkew(now, absl::FromUnixMillis(reply.server_time_unix_ms()));
    return absl::Status(identity.status().code(),
                        absl::StrCat("joining at ", options.endpoint, ": ", identity.status().message(),
                                     skew.empty() ? "" : "; ", skew));
  }
  if (identity->node_id != options.node_id || identity->role != options.role) {
    return absl::InternalError(absl::StrCat("the coordinator at ", options.endpoint,
                                            " issued a certificate for another node: ", identity->node_id));
  }
  return identity;
}

absl::StatusOr<v1::JoinReply> AnswerJoin(const v1::JoinRequest& request, const CertificateAuthority& authority,
                                         const FindJoinToken& find_token, const Clock& clock) {
  const absl::Time now = clock.Now();
  if (request.cluster_id() != authority.cluster_id()) {
    return absl::PermissionDeniedError("the join token is of another cluster");
  }
  const absl::StatusOr<JoinTokenRecord> record = find_token(request.token_id());
  if (absl::IsNotFound(record.status())) {
    return absl::PermissionDeniedError("the join token is not valid: its secret is wrong");
  }
  if (!record.ok()) return record.status();
  ENIGMA_RETURN_IF_ERROR(VerifyJoin(*record, authority.cluster_id(), request.nonce(), request.certificate_request(),
                                    request.proof(), now));
  // A token admits machines; coordinators and operators get their certificates on the coordinator's own disk.
  if (request.role() != RoleName(Role::kWorker)) {
    return absl::PermissionDeniedError("a join token admits workers only");
  }
  v1::JoinReply reply;
  ENIGMA_ASSIGN_OR_RETURN(*reply.mutable_certificate(),
                          authority.Sign(request.certificate_request(), request.node_id(), Role::kWorker));
  reply.set_ca_certificate(authority.certificate_pem());
  reply.set_server_time_unix_ms(absl::ToUnixMillis(now));
  return reply;
}

}  // namespace enigma
