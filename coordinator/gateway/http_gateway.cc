#include "coordinator/gateway/http_gateway.h"

#include <utility>

#include "coordinator/gateway/openai/routes.h"

namespace enigma::coordinator {

absl::StatusOr<std::unique_ptr<HttpGateway>> HttpGateway::Start(const HttpServer::Options& options, CorsPolicy cors,
                                                                ControlPlane& plane, const Access& access,
                                                                absl::Duration ping) {
  std::unique_ptr<HttpGateway> gateway(new HttpGateway(std::move(cors), plane, access));
  gateway->api_.ping = ping;
  absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Start(
      options,
      [gateway = gateway.get()](HttpExchange& exchange) { return Route(gateway->api_, gateway->access_, exchange); });
  if (!server.ok()) return server.status();
  gateway->server_ = *std::move(server);
  return gateway;
}

}  // namespace enigma::coordinator
