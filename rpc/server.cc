#include "rpc/server.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <absl/memory/memory.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "rpc/callback_queue.h"
#include "rpc/endpoint.h"
#include "rpc/grpc_log.h"

namespace enigma {
namespace {

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(const NodeIdentity* identity) {
  if (identity == nullptr) return grpc::InsecureServerCredentials();
  // Without a certificate the connection stands and calls are refused one by one; a certificate that is not the
  // cluster's ends the handshake.
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = identity->ca_certificate_pem;
  // The CA's certificate goes along, so that a joining node can hold it against the pin in its token.
  tls.pem_key_cert_pairs.push_back(
      {identity->tls_private_key_pem, identity->certificate_pem + identity->ca_certificate_pem});
  return grpc::SslServerCredentials(tls);
}

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(const ServerOptions::PublicAddress& address) {
  namespace tls = grpc::experimental;
  constexpr unsigned kLookEverySeconds = 5;
  std::shared_ptr<tls::CertificateProviderInterface> provider;
  if (address.chain_path.empty()) {
    provider = std::make_shared<tls::StaticDataCertificateProvider>(
        std::vector<tls::IdentityKeyCertPair>{{address.certificate.private_key_pem, address.certificate.chain_pem}});
  } else {
    provider =
        std::make_shared<tls::FileWatcherCertificateProvider>(address.key_path, address.chain_path, kLookEverySeconds);
  }
  tls::TlsServerCredentialsOptions options(std::move(provider));
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  return tls::TlsServerCredentials(options);
}

void Tune(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  // Two servers on one port would share the connections between them; a busy port must be an error.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Peers ping twice a second, also while nothing is sent (channel.h): never call that abuse.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 2000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
}

// gRPC does not say why it could not bind; the system does. OK when it could.
absl::Status TryToBind(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string where = Endpoint{host, port}.ToText();
  if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot listen on ", where, ": ", gai_strerror(error)));
  }
  int error = 0;
  for (const addrinfo* at = found; at != nullptr && error == 0; at = at->ai_next) {
    const int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    // As gRPC binds: connections that linger after a server's end do not keep its port.
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0) {
      error = errno;
    } else if (listen(fd, 1) != 0) {
      error = errno;
    }
    close(fd);
  }
  freeaddrinfo(found);
  if (error == EADDRINUSE) {
    return absl::AlreadyExistsError(absl::StrCat("cannot listen on ", where, ": port ", port,
                                                 " is in use by another process (see: ss -ltnp 'sport = :", port,
                                                 "'); stop that one, choose another port, or 0 for any free one"));
  }
  if (error == EACCES) {
    return absl::PermissionDeniedError(absl::StrCat("cannot listen on ", where, ": this user may not bind port ", port,
                                                    "; choose one from 1024 upwards"));
  }
  if (error == EADDRNOTAVAIL) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot listen on ", where, ": no interface of this machine has the address ", host));
  }
  if (error == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot listen on ", where, ": ", std::strerror(error)));
}

absl::Status WhyNotBound(const std::string& host, int port) {
  absl::Status why = TryToBind(host, port);
  if (!why.ok()) return why;
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", Endpoint{host, port}.ToText(), ": gRPC gives no reason"));
}

}  // namespace

absl::Status CheckCanListen(const std::string& host, int port) {
  return port == 0 ? absl::OkStatus() : TryToBind(host, port);
}

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const ServerOptions& options) {
  RouteGrpcLog();
  grpc::EnableDefaultHealthCheckService(options.health);
  if (options.reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  Tune(builder);
  int port = 0;
  builder.AddListeningPort(Endpoint{options.host, options.port}.ToText(), CredentialsOf(options.identity), &port);
  int public_port = 0;
  if (options.public_address) {
    const ServerOptions::PublicAddress& address = *options.public_address;
    builder.AddListeningPort(Endpoint{address.host, address.port}.ToText(), CredentialsOf(address), &public_port);
  }
  for (grpc::Service* service : options.services) builder.RegisterService(service);
  if (options.configure) options.configure(builder);
  KeepCallbackQueue();
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server != nullptr && port > 0 && (public_port > 0 || !options.public_address)) {
    return absl::WrapUnique(new RpcServer(std::move(server), port, public_port));
  }
  if (port > 0 && options.public_address) {
    return WhyNotBound(options.public_address->host, options.public_address->port);
  }
  return WhyNotBound(options.host, options.port);
}

void RpcServer::Shutdown(absl::Duration grace) {
  server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
  server_->Wait();
}

RpcServer::~RpcServer() { Shutdown(); }

}  // namespace enigma
