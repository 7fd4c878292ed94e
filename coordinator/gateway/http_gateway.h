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
  struct Options {
    HttpServer::Options server;
    CorsPolicy cors;
    absl::Duration request_time_max;  // the longest deadline of a request, and that of one which asks for none
    absl::Duration ping;              // after which a stream with nothing to say sends a comment
  };
  // All but the options must outlive it. A busy port is an error that names it.
  static absl::StatusOr<std::unique_ptr<HttpGateway>> Start(Options options, ControlPlane& plane, const Access& access,
                                                            RequestRouter& router, SpecialistsOffice& specialists);

  ~HttpGateway();

  int port() const { return server_->port(); }
  // Takes no new connection and lets running answers end for as long as told.
  void Stop(absl::Duration grace) { server_->Stop(grace); }

 private:
  HttpGateway(Options options, ControlPlane& plane, const Access& access, RequestRouter& router,
              SpecialistsOffice& specialists)
      : access_(access),
        cors_(std::move(options.cors)),
        api_{plane, executor_, schema_executor_, cors_, router, specialists, options.request_time_max, options.ping} {}

  const Access& access_;
  const CorsPolicy cors_;
  Executor executor_{2};
  Executor schema_executor_{1};
  ApiContext api_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace enigma::coordinator
