#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "rpc/identity.h"
#include "rpc/server_certificate.h"

namespace enigma {

// Largest message either side accepts: a step frame of 2,048 rows of 8,192 f32 is 64 MiB.
inline constexpr int kMessageBytesMax = 72 << 20;

struct ServerOptions {
  std::string host = "0.0.0.0";  // a wildcard listens on IPv4 and IPv6
  int port = 0;                  // 0 picks a free one
  // Presented to callers; callers' certificates are checked against its CA. Null serves plain text (--insecure).
  const NodeIdentity* identity = nullptr;
  // A second address for clients that are no nodes: TLS with this certificate, which asks callers for none, so that
  // they are known by their keys alone. Empty: none.
  struct PublicAddress {
    std::string host = "0.0.0.0";
    int port = 0;
    ServerCertificate certificate;
    // Files of PEM with `certificate` and its key, or one with both: gRPC looks at them again every few seconds, and
    // shows what it finds there without checking it. Empty: the certificate stays as it is.
    std::string chain_path = {};
    std::string key_path = {};
  };
  std::optional<PublicAddress> public_address = std::nullopt;
  std::vector<grpc::Service*> services = {};  // must outlive the server
  bool health = true;                         // grpc.health.v1
  bool reflection = false;
  // For what the fields do not say: generic services, completion queues.
  std::function<void(grpc::ServerBuilder&)> configure = nullptr;
};

// Whether a server could listen there now; else the error that RpcServer::Start would return.
absl::Status CheckCanListen(const std::string& host, int port);

// A gRPC server on one port. Callers without a certificate may connect, because joining has to; each call states with
// rpc/authorisation.h whom it serves.
class RpcServer {
 public:
  // A busy or forbidden port is an error that names it and says what to do.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const ServerOptions& options);
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int public_port() const { return public_port_; }  // 0: there is none
  [[nodiscard]] grpc::Server& grpc_server() { return *server_; }

  // Lets calls in progress end for at most `grace`, then cancels them. Idempotent.
  void Shutdown(absl::Duration grace = absl::Milliseconds(500));

 private:
  RpcServer(std::unique_ptr<grpc::Server> server, int port, int public_port)
      : server_(std::move(server)), port_(port), public_port_(public_port) {}

  const std::unique_ptr<grpc::Server> server_;
  const int port_;
  const int public_port_;
};

}  // namespace enigma
