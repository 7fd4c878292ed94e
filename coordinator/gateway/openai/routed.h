#pragma once

#include <functional>
#include <string>
#include <utility>  // for Boost 1.74, which forgets it

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <boost/asio/awaitable.hpp>

#include "coordinator/gateway/openai/endpoint.h"
#include "coordinator/gateway/routable_request.h"

namespace enigma::coordinator {

// How a request comes to the model that answers it.
struct AnswerTurn {
  bool routed = false;                // another model may be tried after an error
  std::function<void()> begins = {};  // to be called before the first of the answer is sent; may be null
};

// How one endpoint answers its request by any model. Borrowed functions: what they use outlives AnswerRouted, but for
// `describe`.
struct EndpointAnswer {
  std::string model;  // as the client names it
  // What routing looks at; for the model "auto" alone. Runs on another thread, maybe after the request has ended, so it
  // owns what it uses.
  std::function<absl::StatusOr<RoutableRequest>()> describe;
  // Makes this the model of the request.
  std::function<void(const std::string& model)> use;
  // Whether the caller's limits let the request in, as the endpoint counts it. `routed`: any model may answer.
  std::function<absl::StatusOr<Admission>(bool routed)> admit;
  // Answers by the request's model. An error: nothing was sent.
  std::function<boost::asio::awaitable<absl::Status>(Admission admission, AnswerTurn turn)> answer;
};

// Answers by the model that the client names, or, for "auto", by the specialist that suits the request: waits for it to
// be loaded, and tries others in its place as long as nothing of an answer was sent.
boost::asio::awaitable<void> AnswerRouted(ApiContext& api, HttpExchange& exchange, EndpointAnswer how);

}  // namespace enigma::coordinator
