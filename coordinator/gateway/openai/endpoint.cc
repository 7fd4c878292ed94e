#include "coordinator/gateway/openai/endpoint.h"

#include <algorithm>
#include <atomic>
#include <memory>

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>

#include "base/counter_random.h"
#include "base/text.h"
#include "coordinator/gateway/call_end.h"
#include "coordinator/gateway/openai/api_error.h"

namespace enigma::coordinator {

absl::StatusOr<absl::Duration> DeadlineOf(const ApiContext& api, const HttpRequest& request) {
  const std::string_view header = request.Header("x-request-timeout-ms");
  absl::Duration timeout = api.request_time_max;
  if (!header.empty()) {
    int64_t ms = 0;
    if (!absl::SimpleAtoi(ToAbsl(header), &ms) || ms < 1) {
      return absl::InvalidArgumentError("the header x-request-timeout-ms is no number of milliseconds above 0");
    }
    timeout = std::min(timeout, absl::Milliseconds(ms));
  }
  return api.plane.clock.Monotonic() + timeout;
}

absl::StatusOr<KeyLease> AdmitRequest(const ApiContext& api, std::string_view model, uint64_t tokens_estimated) {
  return AdmitRequest(api.plane.key_limits, api.caller, model, tokens_estimated);
}

std::string NewAnswerId(std::string_view prefix) {
  return absl::StrFormat("%s%016x%016x", ToAbsl(prefix), SystemRandom64(), SystemRandom64());
}

Executor& ExecutorFor(const ApiContext& api, const enigma::v1::SamplingParams& sampling) {
  const bool compiles = sampling.has_json_schema() && !api.plane.schemas.Knows(sampling.json_schema());
  return compiles ? api.schema_executor : api.executor;
}

boost::asio::awaitable<absl::Status> RunElsewhere(const ApiContext& api, Executor& executor, HttpExchange& exchange,
                                                  std::function<void()> work) {
  // Shared, since the work may outlast the exchange.
  auto finished = std::make_shared<std::atomic<bool>>(false);
  if (!executor.TryRun([finished, pass = api.pass, work = std::move(work), wake = exchange.Waker()] {
        work();
        finished->store(true);
        wake();
      })) {
    co_return absl::ResourceExhaustedError("too many requests wait to be read; try again later");
  }
  while (!finished->load() && !exchange.gone()) {
    const absl::Duration left = api.deadline - api.plane.clock.Monotonic();
    if (left <= absl::ZeroDuration()) co_return Late();
    co_await exchange.Wait(std::min(left, absl::Seconds(1)));
  }
  if (finished->load()) co_return absl::OkStatus();
  co_return absl::CancelledError("the client went away");
}

boost::asio::awaitable<void> ReplyError(HttpExchange& exchange, absl::Status status) {
  HttpReply reply = ReplyOf(ErrorOf(status));
  co_await exchange.Reply(std::move(reply));
}

}  // namespace enigma::coordinator
