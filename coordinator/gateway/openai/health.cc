// GET /health, /health/ready and /metrics.
#include "coordinator/gateway/openai/body.h"
#include "coordinator/gateway/openai/endpoint.h"

namespace enigma::coordinator {

// Alive: this process answers.
boost::asio::awaitable<void> Health(ApiContext& api, HttpExchange& exchange) {
  HttpReply reply;
  reply.body = Json{{"status", "ok"}, {"version", api.plane.version}}.dump();
  co_await exchange.Reply(std::move(reply));
}

// Ready: requests are taken, and one for at least one model would be served.
boost::asio::awaitable<void> Ready(ApiContext& api, HttpExchange& exchange) {
  Json ready = Json::array();
  Json loading = Json::array();
  for (const ModelPtr& model : api.plane.models.List()) {
    for (const Replica& replica : api.plane.replicas.OfModel(model->name)) {
      if (replica.state == ReplicaState::kReady) {
        ready.push_back(model->name);
        break;
      }
      if (replica.state == ReplicaState::kLoading) loading.push_back(model->name);
    }
  }
  HttpReply reply;
  const bool draining = !api.plane.intake.open();
  reply.status = ready.empty() || draining ? 503 : 200;
  const char* status = draining ? "draining" : ready.empty() ? "no model is in service" : "ready";
  reply.body = Json{{"status", status}, {"models", ready}, {"loading", loading}}.dump();
  co_await exchange.Reply(std::move(reply));
}

boost::asio::awaitable<void> MetricsText(ApiContext& api, HttpExchange& exchange) {
  HttpReply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = api.plane.metrics.Text();
  co_await exchange.Reply(std::move(reply));
}

}  // namespace enigma::coordinator
