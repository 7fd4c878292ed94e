#include "coordinator/gateway/openai/routed.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "base/status_macros.h"
#include "coordinator/gateway/call_end.h"

namespace enigma::coordinator {
namespace {

// What comes on another thread while the connection's strand waits. Shared with that thread.
class ChoiceBox {
 public:
  // Nobody waits any more.
  void Abandon() { abandoned_ = true; }
  bool abandoned() const { return abandoned_; }
  void Put(const absl::StatusOr<RequestRouter::Choice>& choice) {
    absl::MutexLock lock(&mutex_);
    choice_ = choice;
  }
  std::optional<absl::StatusOr<RequestRouter::Choice>> Take() {
    absl::MutexLock lock(&mutex_);
    return std::exchange(choice_, std::nullopt);
  }

 private:
  std::atomic<bool> abandoned_ = false;
  absl::Mutex mutex_;
  std::optional<absl::StatusOr<RequestRouter::Choice>> choice_ ABSL_GUARDED_BY(mutex_);
};

boost::asio::awaitable<absl::StatusOr<RequestRouter::Choice>> NextChoice(ApiContext& api, HttpExchange& exchange,
                                                                         RoutePtr route) {
  const auto box = std::make_shared<ChoiceBox>();
  api.router.Next(route, {.deadline = api.deadline, .gone = [box] { return box->abandoned(); }},
                  [box, wake = exchange.Waker()](const absl::StatusOr<RequestRouter::Choice>& choice) {
                    box->Put(choice);
                    wake();
                  });
  while (true) {
    if (auto choice = box->Take()) co_return *std::move(choice);
    const absl::Duration left = api.deadline - api.plane.clock.Monotonic();
    if (exchange.gone() || left <= absl::ZeroDuration()) {
      box->Abandon();
      co_return exchange.gone() ? absl::CancelledError("the client went away") : Late();
    }
    co_await exchange.Wait(std::min(left, absl::Seconds(1)));
  }
}

// On its way from a request to the decision. Shared, since work may outlast the exchange.
struct Deciding {
  std::function<absl::StatusOr<RoutableRequest>()> describe;
  RouteWishes wishes;
  absl::Duration began;
  absl::StatusOr<QuestionPtr> question = absl::CancelledError("not run");
  absl::StatusOr<RoutePtr> route = absl::CancelledError("not run");
};

void Ask(RequestRouter& router, const Caller& caller, Deciding& deciding) {
  deciding.question = [&]() -> absl::StatusOr<QuestionPtr> {
    ENIGMA_ASSIGN_OR_RETURN(RoutableRequest request, deciding.describe());
    ENIGMA_RETURN_IF_ERROR(SetWishes(deciding.wishes, request.features));
    return router.Ask(std::move(request), caller, deciding.began);
  }();
  // Where the router has no say, nothing waits behind those who ask it.
  if (deciding.question.ok() && !(*deciding.question)->asks_router) {
    deciding.route = router.Decide(**deciding.question);
  }
}

boost::asio::awaitable<absl::StatusOr<RoutePtr>> RouteOf(ApiContext& api, HttpExchange& exchange,
                                                         std::function<absl::StatusOr<RoutableRequest>()> describe,
                                                         absl::Duration began) {
  const HttpRequest& http = exchange.request();
  const auto deciding = std::make_shared<Deciding>();
  deciding->describe = std::move(describe);
  deciding->wishes = {std::string(http.Header("x-enigma-route")), std::string(http.Header("x-enigma-task"))};
  deciding->began = began;
  std::function<void()> ask = [&router = api.router, caller = api.caller, deciding] { Ask(router, caller, *deciding); };
  absl::Status ran = co_await RunElsewhere(api, api.executor, exchange, std::move(ask));
  if (ran.ok()) ran = deciding->question.status();
  if (!ran.ok()) co_return ran;
  if ((*deciding->question)->asks_router) {
    std::function<void()> decide = [&router = api.router, deciding] {
      deciding->route = router.Decide(**deciding->question);
    };
    ran = co_await RunElsewhere(api, api.router.executor(), exchange, std::move(decide));
    if (!ran.ok()) co_return ran;
  }
  if (deciding->route.ok()) api.router.Count(**deciding->question, **deciding->route);
  co_return std::move(deciding->route);
}

// An error: nothing was sent.
boost::asio::awaitable<absl::Status> AnswerBySpecialist(ApiContext& api, HttpExchange& exchange,
                                                        const EndpointAnswer& how) {
  const absl::Duration began = api.plane.clock.Monotonic();
  // Before anything costs.
  absl::StatusOr<Admission> admission = how.admit(true);
  if (!admission.ok()) co_return admission.status();
  const absl::StatusOr<RoutePtr> route = co_await RouteOf(api, exchange, how.describe, began);
  if (!route.ok()) co_return route.status();
  exchange.AddHeaders(HeadersOf((*route)->decision));
  while (true) {
    const absl::StatusOr<RequestRouter::Choice> choice = co_await NextChoice(api, exchange, *route);
    if (!choice.ok()) co_return choice.status();
    how.use(choice->model);
    AnswerTurn turn;
    turn.routed = true;
    turn.begins = [&router = api.router, route = *route, model = choice->model] { router.Remember(*route, model); };
    Admission own = *std::move(admission);
    const absl::Status answered = co_await how.answer(std::move(own), std::move(turn));
    if (answered.ok() || !api.router.MayTryAnother(**route, choice->model, answered)) co_return answered;
    admission = how.admit(true);  // to the key's limits each further attempt is a request of its own
    if (!admission.ok()) co_return admission.status();
  }
}

}  // namespace

boost::asio::awaitable<void> AnswerRouted(ApiContext& api, HttpExchange& exchange, EndpointAnswer how) {
  if (api.router.Routes(how.model)) {
    absl::Status answered = co_await AnswerBySpecialist(api, exchange, how);
    if (!answered.ok()) co_await ReplyError(exchange, std::move(answered));
    co_return;
  }
  absl::Status refused = RefuseWishes(how.model, exchange.request().Header("x-enigma-task"));
  if (!refused.ok()) co_return co_await ReplyError(exchange, std::move(refused));
  absl::StatusOr<Admission> admission = how.admit(false);
  if (!admission.ok()) co_return co_await ReplyError(exchange, admission.status());
  exchange.AddHeaders(HeadersOfNamedModel());
  const SpecialistKeeper::Hold hold = api.router.Use(how.model);
  Admission own = *std::move(admission);
  AnswerTurn turn;
  absl::Status answered = co_await how.answer(std::move(own), std::move(turn));
  if (!answered.ok()) co_await ReplyError(exchange, std::move(answered));
}

}  // namespace enigma::coordinator
