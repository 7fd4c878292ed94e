#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>  // for Boost 1.74, which forgets it

#include <absl/status/statusor.h>
#include <boost/asio/awaitable.hpp>

#include "base/status_macros.h"
#include "coordinator/gateway/caller.h"
#include "coordinator/gateway/executor.h"
#include "coordinator/gateway/http/exchange.h"
#include "coordinator/gateway/openai/cors.h"
#include "coordinator/operations/control_plane.h"
#include "proto/worker.pb.h"

namespace enigma::coordinator {

// What every endpoint of the HTTP API works with; each request has a copy of its own. Borrows all but the caller.
struct ApiContext {
  ControlPlane& plane;
  Executor& executor;         // for what must not run on the server's threads
  Executor& schema_executor;  // for compiling schemas, so that many of these hold nothing else up
  const CorsPolicy& cors;
  absl::Duration request_timeout_max = absl::Hours(1);
  absl::Duration ping = absl::Seconds(15);  // of streams with nothing to say
  Caller caller = {};                       // who asks, once the route has let them in
};

// One more request of the caller for the model: for every endpoint that asks for one, as soon as its body is read and
// before anything costs. PERMISSION_DENIED when the key may not use the model, RESOURCE_EXHAUSTED with RetryAfter when
// its limits are reached.
absl::StatusOr<KeyLease> AdmitRequest(const ApiContext& api, std::string_view model, uint64_t tokens_estimated);

// The deadline of a request: what `x-request-timeout-ms` asks for, else the longest allowed; on the plane's monotonic
// clock. INVALID_ARGUMENT for a header that is no number of milliseconds.
absl::StatusOr<absl::Duration> DeadlineOf(const ApiContext& api, const HttpRequest& request);

// What a request that generates or embeds may go on with.
struct Admission {
  absl::Duration deadline;  // on the plane's monotonic clock
  KeyLease lease;           // of the caller's limits
};

// As AdmitRequest, for `requests` of one model that count as one; settles the priority of each. Errors are also those
// of DeadlineOf, and PERMISSION_DENIED for a priority that the key may not ask for.
template <class Request>
absl::StatusOr<Admission> AdmitRequests(const ApiContext& api, const HttpRequest& http, std::span<Request> requests,
                                        uint64_t tokens_estimated) {
  ENIGMA_ASSIGN_OR_RETURN(const absl::Duration deadline, DeadlineOf(api, http));
  ENIGMA_ASSIGN_OR_RETURN(KeyLease lease, AdmitRequests(api.plane.key_limits, api.caller, requests, tokens_estimated));
  return Admission{deadline, std::move(lease)};
}

// "chatcmpl-..." and the like: never the same twice.
std::string NewAnswerId(std::string_view prefix);

boost::asio::awaitable<void> ReplyError(HttpExchange& exchange, absl::Status status);

// Runs `work` on the executor's threads while the connection's strand goes on. It must own what it uses: when the
// client goes, CANCELLED comes at once and the work may still run. RESOURCE_EXHAUSTED: too much waits already.
boost::asio::awaitable<absl::Status> RunElsewhere(ApiContext& api, HttpExchange& exchange, std::function<void()> work);
boost::asio::awaitable<absl::Status> RunElsewhere(Executor& executor, HttpExchange& exchange,
                                                  std::function<void()> work);
// Where a request that may have a schema is prepared.
Executor& ExecutorFor(const ApiContext& api, const enigma::v1::SamplingParams& sampling);

// The endpoints, one file each.
boost::asio::awaitable<void> ChatCompletions(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> Completions(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> EmbeddingsEndpoint(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> PlainGenerate(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> ListModelsEndpoint(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> ShowModel(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> TokenizeEndpoint(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> DetokenizeEndpoint(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> Health(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> Ready(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> MetricsText(ApiContext& api, HttpExchange& exchange);

}  // namespace enigma::coordinator
