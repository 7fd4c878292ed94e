// GET /api/specialists.
#include <utility>

#include <absl/strings/str_cat.h>

#include "coordinator/gateway/openai/body.h"
#include "coordinator/gateway/openai/endpoint.h"

namespace enigma::coordinator {
namespace {

// Of one that the caller may use.
Json TaskForCallers(const ControlPlane& plane, const Task& task) {
  return {{"name", task.name},
          {"model", task.model},
          {"ready", plane.replicas.Serves(task.model)},
          {"intents", task.intents},
          {"keywords", task.keywords}};
}

// Names of nodes, and of models that stand in, are for who runs the cluster.
Json TaskForOperators(const ControlPlane& plane, const Task& task) {
  Json json = TaskForCallers(plane, task);
  json["nodes"] = task.nodes;
  json["fallback"] = task.fallback;
  return json;
}

Json RouterJson(const ControlPlane& plane, const Specialists& specialists) {
  if (specialists.router.empty()) return Json();
  return {{"model", specialists.router},
          {"ready", plane.replicas.Serves(specialists.router)},
          {"nodes", specialists.router_nodes}};
}

// What a key may know: the tasks whose models it may use.
Json JsonForKey(const ApiContext& api, const RoutingTablePtr& table) {
  Json json = {{"in_force", table != nullptr}};
  if (table == nullptr) return json;
  json["tasks"] = Json::array();
  for (const Task& task : table->specialists.tasks) {
    if (api.caller.MayUse(task.model)) json["tasks"].push_back(TaskForCallers(api.plane, task));
  }
  return json;
}

Json JsonForOperators(const ApiContext& api, const RoutingTablePtr& table) {
  const SpecialistRegistry& registry = api.specialists.registry();
  const absl::Status fault = registry.fault();
  Json json = {{"in_force", table != nullptr},
               {"fault", fault.ok() ? Json() : Json(std::string(fault.message()))},
               {"file", api.specialists.path().empty() ? Json() : Json(api.specialists.path())}};
  if (table == nullptr) return json;
  const Specialists& specialists = table->specialists;
  json["default"] = specialists.DefaultTask().name;
  json["threshold"] = specialists.threshold ? Json(*specialists.threshold) : Json();
  json["router"] = RouterJson(api.plane, specialists);
  json["tasks"] = Json::array();
  for (const Task& task : specialists.tasks) json["tasks"].push_back(TaskForOperators(api.plane, task));
  json["text"] = registry.text();
  return json;
}

}  // namespace

boost::asio::awaitable<void> ShowSpecialists(ApiContext& api, HttpExchange& exchange) {
  const RoutingTablePtr table = api.specialists.registry().table();
  const Json json = api.caller.key == nullptr ? JsonForOperators(api, table) : JsonForKey(api, table);
  HttpReply reply;
  reply.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  co_await exchange.Reply(std::move(reply));
}

}  // namespace enigma::coordinator
