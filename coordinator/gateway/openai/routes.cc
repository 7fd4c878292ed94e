#include "coordinator/gateway/openai/routes.h"

#include <array>
#include <optional>

#include <absl/strings/str_cat.h>

#include "coordinator/gateway/openai/api_error.h"

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

constexpr std::array kRoutes = {
    RouteEntry{"GET", "/v1/models", &ListModelsEndpoint},
    RouteEntry{"GET", "/v1/models/", &ShowModel, Open::kToCallers, /*prefix=*/true},
    RouteEntry{"POST", "/v1/chat/completions", &ChatCompletions},
    RouteEntry{"POST", "/v1/completions", &Completions},
    RouteEntry{"POST", "/v1/embeddings", &EmbeddingsEndpoint},
    RouteEntry{"POST", "/generate", &PlainGenerate},
    RouteEntry{"POST", "/tokenize", &TokenizeEndpoint},
    RouteEntry{"POST", "/detokenize", &DetokenizeEndpoint},
    RouteEntry{"GET", "/health", &Health, Open::kToAll},
    RouteEntry{"GET", "/health/ready", &Ready, Open::kToAll},
    RouteEntry{"GET", "/metrics", &MetricsText, Open::kToAll},
};

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

}  // namespace

boost::asio::awaitable<void> Route(ApiContext& api, const Access& access, HttpExchange& exchange) {
  const HttpRequest& request = exchange.request();
  std::string allowed;
  for (const RouteEntry& route : kRoutes) {
    if (!Matches(route, request.path)) continue;
    if (route.method != request.method && !(route.method == "GET" && request.method == "HEAD")) {
      allowed = std::string(route.method);
      continue;
    }
    ApiContext mine = api;
    absl::StatusOr<Intake::Pass> pass;
    if (route.open == Open::kToCallers) {
      pass = api.plane.intake.Enter();
      if (!pass.ok()) {
        HttpReply refusal = ReplyOf(ErrorOf(pass.status()));
        refusal.close = true;  // the next attempt is to find another server, or this one started anew
        co_await exchange.Reply(std::move(refusal));
        co_return;
      }
      absl::StatusOr<Caller> caller = access.ForHttp(request.Header("authorization"), request.from_this_machine);
      if (!caller.ok()) {
        co_await ReplyError(exchange, caller.status());
        co_return;
      }
      mine.caller = *std::move(caller);
    }
    co_await route.endpoint(mine, exchange);
    co_return;
  }
  HttpReply reply = ReplyOf(NoSuchRoute(request, allowed));
  if (!allowed.empty()) reply.headers.emplace_back("Allow", allowed);
  co_await exchange.Reply(std::move(reply));
}

}  // namespace enigma::coordinator
