#include "coordinator/gateway/openai/routes.h"

#include <array>
#include <memory>
#include <optional>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/gateway/openai/api_error.h"
#include "coordinator/gateway/openai/body.h"

namespace enigma::coordinator {
namespace {

using Endpoint = boost::asio::awaitable<void> (*)(ApiContext&, HttpExchange&);

enum class Open { kToCallers, kToAll };  // kToAll: probes and scrapers, which see no content

struct RouteEntry {
  std::string_view method;
  std::string_view path;
  Endpoint endpoint;
  Open open = Open::kToCallers;
  bool prefix = false;  // the path and whatever follows
};

boost::asio::awaitable<void> AboutApi(ApiContext& api, HttpExchange& exchange);

constexpr std::array kRoutes = {
    RouteEntry{"GET", "/", &AboutApi, Open::kToAll},
    RouteEntry{"GET", "/v1", &AboutApi, Open::kToAll},
    RouteEntry{"GET", "/v1/", &AboutApi, Open::kToAll},
    RouteEntry{"GET", "/v1/models", &ListModelsEndpoint},
    RouteEntry{"GET", "/v1/models/", &ShowModel, Open::kToCallers, /*prefix=*/true},
    RouteEntry{"POST", "/v1/chat/completions", &ChatCompletions},
    RouteEntry{"POST", "/v1/completions", &Completions},
    RouteEntry{"POST", "/v1/embeddings", &EmbeddingsEndpoint},
    RouteEntry{"POST", "/generate", &PlainGenerate},
    RouteEntry{"POST", "/tokenize", &TokenizeEndpoint},
    RouteEntry{"POST", "/detokenize", &DetokenizeEndpoint},
    RouteEntry{"GET", "/api/specialists", &ShowSpecialists},
    RouteEntry{"GET", "/health", &Health, Open::kToAll},
    RouteEntry{"GET", "/health/ready", &Ready, Open::kToAll},
    RouteEntry{"GET", "/metrics", &MetricsText, Open::kToAll},
};

// For whoever opens the address that was printed: what this is, and where it answers.
boost::asio::awaitable<void> AboutApi(ApiContext&, HttpExchange& exchange) {
  Json endpoints = Json::array();
  for (const RouteEntry& route : kRoutes) {
    if (route.endpoint == &AboutApi) continue;
    endpoints.push_back(absl::StrCat(ToAbsl(route.method), " ", ToAbsl(route.path), route.prefix ? "{model}" : ""));
  }
  HttpReply reply;
  reply.body = Json{{"name", "Enigma"},
                    {"about", "An OpenAI-compatible API is at /v1: give this address with /v1 as a client's base URL."},
                    {"endpoints", std::move(endpoints)},
                    {"example",
                     {{"request", "POST /v1/chat/completions"},
                      {"body", {{"model", "auto"}, {"messages", {{{"role", "user"}, {"content", "Hello"}}}}}}}}}
                   .dump(2);
  co_await exchange.Reply(std::move(reply));
}

bool Matches(const RouteEntry& route, std::string_view path) {
  return route.prefix ? path.starts_with(route.path) && path.size() > route.path.size() : path == route.path;
}

ApiError NoSuchRoute(const HttpRequest& request, const std::string& allowed) {
  ApiError error;
  error.type = "invalid_request_error";
  error.status = allowed.empty() ? 404 : 405;
  error.code = allowed.empty() ? "unknown_url" : "method_not_allowed";
  error.message = allowed.empty() ? absl::StrCat("there is nothing at ", request.path)
                                  : absl::StrCat(request.path, " takes ", allowed, ", not ", request.method);
  return error;
}

// Every method that the path knows, with commas between; empty where nothing is at the path.
std::string MethodsOf(std::string_view path) {
  std::string methods;
  for (const RouteEntry& route : kRoutes) {
    if (Matches(route, path)) absl::StrAppend(&methods, methods.empty() ? "" : ", ", ToAbsl(route.method));
  }
  return methods;
}

// Who asks; an error when they may not.
absl::StatusOr<Caller> CallerOf(const ApiContext& api, const Access& access, const HttpRequest& request) {
  ENIGMA_ASSIGN_OR_RETURN(Caller caller, access.ForHttp(request.Header("authorization"), request.from_this_machine));
  // A page that somebody visits must not use what their machine may do without a key.
  if (caller.key == nullptr && IsCrossSite(request) && !api.cors.Allows(request.Header("origin"))) {
    return absl::PermissionDeniedError(
        "a page of another site asks without an API key; the coordinator's --cors-origin lists the sites that may");
  }
  return caller;
}

}  // namespace

boost::asio::awaitable<void> Route(ApiContext& api, const Access& access, HttpExchange& exchange) {
  const HttpRequest& request = exchange.request();
  exchange.AddHeaders(api.cors.ForAnswer(request.Header("origin")));
  for (const RouteEntry& route : kRoutes) {
    if (!Matches(route, request.path)) continue;
    if (route.method != request.method && !(route.method == "GET" && request.method == "HEAD")) continue;
    ApiContext mine = api;
    if (route.open == Open::kToCallers) {
      absl::StatusOr<Intake::Pass> pass = api.plane.intake.Enter(request.body.size());
      if (!pass.ok()) {
        HttpReply refusal = ReplyOf(ErrorOf(pass.status()));
        // The next attempt is to find another server, or this one started anew.
        refusal.close = absl::IsUnavailable(pass.status());
        co_await exchange.Reply(std::move(refusal));
        co_return;
      }
      mine.pass = std::make_shared<Intake::Pass>(*std::move(pass));
      absl::StatusOr<Caller> caller = CallerOf(api, access, request);
      if (!caller.ok()) {
        co_await ReplyError(exchange, caller.status());
        co_return;
      }
      mine.caller = *std::move(caller);
      // Before anything is done for it, so that whatever it waits for counts.
      const absl::StatusOr<absl::Duration> deadline = DeadlineOf(api, request);
      if (!deadline.ok()) {
        co_await ReplyError(exchange, deadline.status());
        co_return;
      }
      mine.deadline = *deadline;
    }
    co_await route.endpoint(mine, exchange);
    co_return;
  }
  const std::string allowed = MethodsOf(request.path);
  const bool preflight = request.method == "OPTIONS" && !request.Header("access-control-request-method").empty();
  if (preflight && api.cors.enabled() && !allowed.empty()) {
    HttpReply answer = api.cors.Preflight(request, allowed);
    co_await exchange.Reply(std::move(answer));
    co_return;
  }
  HttpReply reply = ReplyOf(NoSuchRoute(request, allowed));
  if (!allowed.empty()) reply.headers.emplace_back("Allow", allowed);
  co_await exchange.Reply(std::move(reply));
}

}  // namespace enigma::coordinator
