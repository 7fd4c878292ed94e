// GET /v1/models and /v1/models/{id}.
#include <absl/strings/str_cat.h>

#include "coordinator/gateway/openai/body.h"
#include "coordinator/gateway/openai/endpoint.h"

namespace enigma::coordinator {
namespace {

bool IsReady(const ControlPlane& plane, const Model& model) {
  for (const Replica& replica : plane.replicas.OfModel(model.name)) {
    if (replica.serves()) return true;
  }
  return false;
}

Json ModelJson(const ControlPlane& plane, const Model& model) {
  return {{"id", model.name},
          {"object", "model"},
          {"created", model.modified_ns / 1'000'000'000},
          {"owned_by", "enigma"},
          {"ready", IsReady(plane, model)},
          {"context", model.context}};
}

}  // namespace

boost::asio::awaitable<void> ListModelsEndpoint(ApiContext& api, HttpExchange& exchange) {
  Json list = {{"object", "list"}, {"data", Json::array()}};
  for (const ModelPtr& model : api.plane.models.List()) {
    if (api.caller.MayUse(model->name)) list["data"].push_back(ModelJson(api.plane, *model));
  }
  HttpReply reply;
  reply.body = list.dump();
  co_await exchange.Reply(std::move(reply));
}

boost::asio::awaitable<void> ShowModel(ApiContext& api, HttpExchange& exchange) {
  constexpr std::string_view kPrefix = "/v1/models/";
  const std::string name = exchange.request().path.substr(kPrefix.size());
  absl::Status allowed = CheckModel(api.caller, name);
  if (!allowed.ok()) co_return co_await ReplyError(exchange, std::move(allowed));
  const absl::StatusOr<ModelPtr> model = api.plane.models.Find(name);
  if (!model.ok()) co_return co_await ReplyError(exchange, model.status());
  HttpReply reply;
  reply.body = ModelJson(api.plane, **model).dump();
  co_await exchange.Reply(std::move(reply));
}

}  // namespace enigma::coordinator
