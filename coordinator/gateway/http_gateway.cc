#include "coordinator/gateway/http_gateway.h"

#include <utility>

#include "coordinator/gateway/openai/routes.h"

namespace enigma::coordinator {

absl::StatusOr<std::unique_ptr<HttpGateway>> HttpGateway::Start(Options options, ControlPlane& plane,
                                                                const Access& access, RequestRouter& router,
                                                                SpecialistsOffice& specialists) {
  const HttpServer::Options server_options = std::move(options.server);
  std::unique_ptr<HttpGateway> gateway(new HttpGateway(std::move(options), plane, access, router, specialists));
  absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Start(
      server_options,
      [gateway = gateway.get()](HttpExchange& exchange) { return Route(gateway->api_, gateway->access_, exchange); });
  if (!server.ok()) return server.status();
  gateway->server_ = *std::move(server);
  return gateway;
}

// Work that is under way holds on to the server's strands, and the server's handlers ask for work. So first nobody asks
// any more, then the work ends, and the server goes last.
HttpGateway::~HttpGateway() {
  if (server_ != nullptr) server_->Stop(absl::ZeroDuration());
  executor_.Stop();
  schema_executor_.Stop();
  api_.router.executor().Stop();  // gRPC, whose it is too, has ended by now
}

}  // namespace enigma::coordinator
