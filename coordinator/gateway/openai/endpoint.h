#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>  // for Boost 1.74, which forgets it

#include <absl/status/statusor.h>
#include <boost/asio/awaitable.hpp>

#include "base/status_macros.h"
#include "coordinator/gateway/caller.h"
#include "coordinator/gateway/executor.h"
#include "coordinator/gateway/http/exchange.h"
#include "coordinator/gateway/openai/cors.h"
#include "coordinator/gateway/request_router.h"
#include "coordinator/gateway/specialists_office.h"
#include "coordinator/operations/control_plane.h"
#include "proto/worker.pb.h"

namespace enigma::coordinator {

// What every endpoint of the HTTP API works with; each request has a copy of its own. Borrows all but the caller.
struct ApiContext {
  ControlPlane& plane;
  Executor& executor;         // for what must not run on the server's threads
  Executor& schema_executor;  // for compiling schemas and reading large bodies, so that these hold nothing else up
  const CorsPolicy& cors;
  RequestRouter& router;
  SpecialistsOffice& specialists;
  absl::Duration request_time_max;
  absl::Duration ping;  // of streams with nothing to say
  Caller caller = {};   // who asks, once the route has let them in
  // Shared with work that may outlast its exchange, so that what it holds counts until it is done.
  std::shared_ptr<Intake::Pass> pass = nullptr;
  absl::Duration deadline = absl::InfiniteDuration();  // of the request (DeadlineOf), once the route has let it in
};

// One more request of the caller for the model: for every endpoint that asks for one, as soon as its body is read and
// before anything costs. PERMISSION_DENIED when the key may not use the model, RESOURCE_EXHAUSTED with RetryAfter when
// its limits are reached.
absl::StatusOr<KeyLease> AdmitRequest(const ApiContext& api, std::string_view model, uint64_t tokens_estimated);

// The deadline of a request that comes now: what `x-request-timeout-ms` asks for, else the longest allowed; on the
// plane's monotonic clock. INVALID_ARGUMENT for a header that is no number of milliseconds.
absl::StatusOr<absl::Duration> DeadlineOf(const ApiContext& api, const HttpRequest& request);

// What a request that generates or embeds may go on with.
struct Admission {
  absl::Duration deadline;  // on the plane's monotonic clock
  KeyLease lease;           // of the caller's limits
};

// As AdmitRequest, for `requests` of one model that count as one; settles the priority of each. PERMISSION_DENIED also
// for a priority that the key may not ask for. `routed`: any specialist may answer, so the model is none to be checked.
template <class Request>
absl::StatusOr<Admission> AdmitRequests(const ApiContext& api, std::span<Request> requests, uint64_t tokens_estimated,
                                        bool routed = false) {
  ENIGMA_ASSIGN_OR_RETURN(KeyLease lease,
                          AdmitRequests(api.plane.key_limits, api.caller, requests, tokens_estimated, routed));
  return Admission{api.deadline, std::move(lease)};
}

// "chatcmpl-..." and the like: never the same twice.
std::string NewAnswerId(std::string_view prefix);

boost::asio::awaitable<void> ReplyError(HttpExchange& exchange, absl::Status status);

// Runs `work` on the executor's threads while the connection's strand goes on. It must own what it uses: when the
// client goes, CANCELLED comes at once, and DEADLINE_EXCEEDED at the request's deadline, and the work may still run.
// RESOURCE_EXHAUSTED: too much waits already.
boost::asio::awaitable<absl::Status> RunElsewhere(const ApiContext& api, Executor& executor, HttpExchange& exchange,
                                                  std::function<void()> work);
// Where a request that may have a schema is prepared.
Executor& ExecutorFor(const ApiContext& api, const enigma::v1::SamplingParams& sampling);

// The largest body that is read on the server's own threads: it takes a few milliseconds at worst (a number for every
// two bytes), in which all connections of the thread wait.
inline constexpr size_t kBodyBytesReadAtOnce = 64 * 1024;

// What `read` makes of the exchange's body, which the exchange has no more: an absl::StatusOr, whose errors may also be
// those of RunElsewhere. `read` owns what it uses.
template <class Read>
boost::asio::awaitable<std::invoke_result_t<Read, std::string_view>> ReadBody(const ApiContext& api,
                                                                              HttpExchange& exchange, Read read) {
  std::string body = exchange.TakeBody();
  if (body.size() <= kBodyBytesReadAtOnce) co_return read(body);
  auto plan = std::make_shared<std::invoke_result_t<Read, std::string_view>>(absl::CancelledError("not read"));
  std::function<void()> work = [plan, read = std::move(read), body = std::move(body)]() mutable {
    *plan = read(body);
    body = std::string();  // the plan has what it needs
  };
  absl::Status ran = co_await RunElsewhere(api, api.schema_executor, exchange, std::move(work));
  if (!ran.ok()) co_return ran;
  co_return std::move(*plan);
}

// The endpoints, one file each.
boost::asio::awaitable<void> ChatCompletions(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> Completions(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> EmbeddingsEndpoint(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> PlainGenerate(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> ListModelsEndpoint(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> ShowModel(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> TokenizeEndpoint(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> DetokenizeEndpoint(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> ShowSpecialists(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> Health(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> Ready(ApiContext& api, HttpExchange& exchange);
boost::asio::awaitable<void> MetricsText(ApiContext& api, HttpExchange& exchange);

}  // namespace enigma::coordinator
