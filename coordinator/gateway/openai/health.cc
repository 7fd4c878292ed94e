// GET /health, /health/ready and /metrics.
#include "coordinator/gateway/openai/body.h"
#include "coordinator/gateway/openai/endpoint.h"
#include "coordinator/operations/readiness.h"

namespace enigma::coordinator {

// Alive: this process answers.
boost::asio::awaitable<void> Health(ApiContext& api, HttpExchange& exchange) {
  HttpReply reply;
  reply.body = Json{{"status", "ok"}, {"version", api.plane.version}}.dump();
  co_await exchange.Reply(std::move(reply));
}

// Ready: requests are taken, and one for at least one model would be served, by a specialist that is loaded for it
// maybe.
boost::asio::awaitable<void> Ready(ApiContext& api, HttpExchange& exchange) {
  const Readiness readiness = ReadinessOf(api.plane, api.specialists.registry().table() != nullptr);
  HttpReply reply;
  reply.status = readiness.ready ? 200 : 503;
  reply.body = Json{{"status", readiness.status},
                    {"models", readiness.models},
                    {"loading", readiness.loading},
                    {"stalled", readiness.stalls}}
                   .dump();
  co_await exchange.Reply(std::move(reply));
}

boost::asio::awaitable<void> MetricsText(ApiContext& api, HttpExchange& exchange) {
  HttpReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = api.plane.metrics.Text();
  co_await exchange.Reply(std::move(reply));
}

}  // namespace enigma::coordinator
