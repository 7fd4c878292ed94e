#pragma once

#include <memory>

#include <absl/status/statusor.h>

#include "coordinator/gateway/access.h"
#include "coordinator/gateway/http/http_server.h"
#include "coordinator/gateway/openai/endpoint.h"
#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// The HTTP API: the server, its routes, and threads for what must not run on the server's own.
class HttpGateway {
 public:
  // Plane and access must outlive it. `ping`: after which a stream with nothing to say sends a comment. A busy port is
  // an error that names it.
  static absl::StatusOr<std::unique_ptr<HttpGateway>> Start(const HttpServer::Options& options, CorsPolicy cors,
                                                            ControlPlane& plane, const Access& access,
                                                            absl::Duration ping);

  int port() const { return server_->port(); }
  // Takes no new connection and lets running answers end for as long as told.
  void Stop(absl::Duration grace) { server_->Stop(grace); }

 private:
  HttpGateway(CorsPolicy cors, ControlPlane& plane, const Access& access)
      : access_(access), cors_(std::move(cors)), api_{plane, executor_, schema_executor_, cors_} {}

  const Access& access_;
  const CorsPolicy cors_;
  Executor executor_{2};
  Executor schema_executor_{1};
  ApiContext api_;
  std::unique_ptr<HttpServer> server_;  // last, so that it ends before what its handlers use
};

}  // namespace enigma::coordinator
