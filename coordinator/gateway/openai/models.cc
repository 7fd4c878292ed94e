// GET /v1/models and /v1/models/{id}.
#include <absl/strings/str_cat.h>

#include "coordinator/gateway/openai/body.h"
#include "coordinator/gateway/openai/endpoint.h"

namespace enigma::coordinator {
namespace {

Json ModelJson(const ControlPlane& plane, const Model& model) {
  return {{"id", model.name},
          {"object", "model"},
          {"created", model.modified_ns / 1'000'000'000},
          {"owned_by", "enigma"},
          {"ready", plane.replicas.Serves(model.name)},
          {"context", model.context},
          {"takes_images", model.encoder.has_value()}};
}

// The name behind which specialists stand.
Json AutoJson(const ApiContext& api) {
  return {{"id", kAutoModel},
          {"object", "model"},
          {"created", 0},
          {"owned_by", "enigma"},
          {"ready", api.router.in_force()}};
}

}  // namespace

boost::asio::awaitable<void> ListModelsEndpoint(ApiContext& api, HttpExchange& exchange) {
  Json list = {{"object", "list"}, {"data", Json::array()}};
  for (const ModelPtr& model : api.plane.models.List()) {
    if (api.caller.MayUse(model->name)) list["data"].push_back(ModelJson(api.plane, *model));
  }
  if (api.router.configured()) list["data"].push_back(AutoJson(api));
  HttpReply reply;
  reply.body = list.dump();
  co_await exchange.Reply(std::move(reply));
}

boost::asio::awaitable<void> ShowModel(ApiContext& api, HttpExchange& exchange) {
  constexpr std::string_view kPrefix = "/v1/models/";
  const std::string name = exchange.request().path.substr(kPrefix.size());
  if (api.router.Routes(name)) {
    HttpReply reply;
    reply.body = AutoJson(api).dump();
    co_return co_await exchange.Reply(std::move(reply));
  }
  absl::Status allowed = CheckModel(api.caller, name);
  if (!allowed.ok()) co_return co_await ReplyError(exchange, std::move(allowed));
  const absl::StatusOr<ModelPtr> model = api.plane.models.Find(name);
  if (!model.ok()) co_return co_await ReplyError(exchange, model.status());
  HttpReply reply;
  reply.body = ModelJson(api.plane, **model).dump();
  co_await exchange.Reply(std::move(reply));
}

}  // namespace enigma::coordinator
