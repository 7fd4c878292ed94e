#include "rpc/channel.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "base/status_macros.h"
#include "rpc/callback_queue.h"
#include "rpc/endpoint.h"
#include "rpc/grpc_log.h"
#include "rpc/server.h"
#include "rpc/tls_probe.h"

namespace enigma {
namespace {

int Milliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

grpc::ChannelArguments ArgumentsOf(const ChannelOptions& options) {
  RouteGrpcLog();
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetMaxSendMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.ping_every));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.ping_timeout));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // gRPC counts the time to connect in its "minimum back-off".
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(options.connect_timeout));
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(options.connect_timeout));
  // Nodes speak to each other directly, whatever http_proxy says.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (options.own_connection) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

// gRPC reads a target as a URI, in which the '%' of a zone must be escaped and a literal address must name its kind.
std::string TargetOf(const std::string& endpoint) {
  if (endpoint.find('%') == std::string::npos) return endpoint;
  return absl::StrCat("ipv6:", absl::StrReplaceAll(endpoint, {{"%", "%25"}}));
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& endpoint, const NodeIdentity* identity,
                                           const ExpectedPeer& expected, const ChannelOptions& options) {
  KeepCallbackQueue();
  grpc::ChannelArguments arguments = ArgumentsOf(options);
  if (identity == nullptr) {
    return grpc::CreateCustomChannel(TargetOf(endpoint), grpc::InsecureChannelCredentials(), arguments);
  }
  arguments.SetSslTargetNameOverride(expected.tls_name());
  const auto credentials =
      grpc::SslCredentials({identity->ca_certificate_pem, identity->tls_private_key_pem, identity->certificate_pem});
  return grpc::CreateCustomChannel(TargetOf(endpoint), credentials, arguments);
}

std::shared_ptr<grpc::Channel> MakeJoinChannel(const std::string& endpoint, const std::string& ca_certificate_pem) {
  grpc::ChannelArguments arguments = ArgumentsOf({});
  arguments.SetSslTargetNameOverride(RoleTlsName(Role::kCoordinator));
  return grpc::CreateCustomChannel(TargetOf(endpoint), grpc::SslCredentials({ca_certificate_pem, "", ""}), arguments);
}

absl::Status DiagnoseChannel(const std::string& endpoint, const NodeIdentity* identity, const ExpectedPeer& expected,
                             absl::Time now, absl::Duration timeout) {
  ENIGMA_ASSIGN_OR_RETURN(const Endpoint peer, ParseEndpoint(endpoint, 0));
  if (identity == nullptr) return ProbeTcp(peer, timeout);
  ENIGMA_ASSIGN_OR_RETURN(const X509Ptr ca, ParseCertificatePem(identity->ca_certificate_pem));
  ENIGMA_ASSIGN_OR_RETURN(const X509Ptr own, ParseCertificatePem(identity->certificate_pem));
  if (const auto valid = VerifyNodeCertificate(*own, *ca, now); !valid.ok()) {
    return absl::Status(valid.status().code(), absl::StrCat("this node's own certificate: ", valid.status().message()));
  }
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain, FetchServerChain(peer, timeout));
  const auto about = VerifyNodeCertificate(*chain.front(), *ca, now);
  if (!about.ok()) {
    return absl::Status(about.status().code(),
                        absl::StrCat("the server at ", endpoint, ": ", about.status().message()));
  }
  if (X509_check_host(chain.front().get(), expected.tls_name().data(), expected.tls_name().size(), 0, nullptr) != 1) {
    return absl::UnauthenticatedError(absl::StrCat("the server at ", endpoint, " is ",
                                                   std::string(RoleName(about->role)), " ", about->node_id, ", not ",
                                                   expected.tls_name()));
  }
  return absl::OkStatus();
}

}  // namespace enigma
