#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/background/specialist_keeper.h"
#include "coordinator/gateway/caller.h"
#include "coordinator/gateway/classify_text.h"
#include "coordinator/gateway/executor.h"
#include "coordinator/gateway/routable_request.h"
#include "coordinator/operations/control_plane.h"
#include "coordinator/routing/specialist_registry.h"

namespace enigma::coordinator {

// A request to the model "auto" before it is known who answers it.
struct RouteQuestion {
  RoutableRequest request;
  Caller caller;
  absl::Duration began;      // when the request came, on the plane's monotonic clock
  RoutingTablePtr table;     // by which it is decided
  std::string conversation;  // its key; empty: none
  bool asks_router = false;
};
using QuestionPtr = std::shared_ptr<const RouteQuestion>;

// A request on its way to a specialist. Of one request; not thread-safe.
struct SpecialistRoute {
  Decision decision;
  std::optional<LabelReading> reading;  // of the router, where it answered
  std::vector<std::string> models;      // that may still be tried, in this order
  std::string conversation;             // its key; empty: none
  std::string failures;                 // of those that were tried: "coder: why; talker: why"
  absl::Status last_failure;
};
using RoutePtr = std::shared_ptr<SpecialistRoute>;

// Finds who answers a request to the model "auto". Thread-safe.
class RequestRouter {
 public:
  struct Options {
    absl::Duration patience = absl::Seconds(1);  // with the router; then keywords decide
    // After the router did not answer in time nobody waits for it for so long, so that one that is stuck holds nothing
    // up.
    absl::Duration pause = absl::Seconds(5);
    size_t threads = 4;  // that wait for it
    Conversations::Options conversations = {};
  };
  RequestRouter(ControlPlane& plane, SpecialistRegistry& registry, SpecialistKeeper& keeper, const Options& options)
      : plane_(plane),
        registry_(registry),
        keeper_(keeper),
        options_(options),
        conversations_(options.conversations),
        executor_(options.threads) {}

  // Whether a registry was given, right or wrong.
  bool configured() const { return registry_.table() != nullptr || !registry_.fault().ok(); }
  bool in_force() const { return registry_.table() != nullptr; }
  // Whether a request for this model is routed.
  bool Routes(std::string_view model) const { return model == kAutoModel && configured(); }

  // What is known before the router is asked. `began`: as in RouteQuestion. Hashes the conversation, so not for threads
  // that serve sockets. FAILED_PRECONDITION when no registry is in force.
  absl::StatusOr<QuestionPtr> Ask(RoutableRequest request, const Caller& caller, absl::Duration began);
  // Who is to answer. Where the question asks the router it waits for that, so run it on executor(); else it may
  // tokenise. INVALID_ARGUMENT for a request that no specialist takes, PERMISSION_DENIED when the caller may use none
  // that do.
  absl::StatusOr<RoutePtr> Decide(const RouteQuestion& question);
  // Counts a request that goes the way that was decided.
  void Count(const RouteQuestion& question, const SpecialistRoute& route);

  struct Choice {
    std::string model;
    SpecialistKeeper::Hold hold;  // to be kept until the request has ended
  };
  using Chosen = std::function<void(const absl::StatusOr<Choice>& choice)>;
  // The next model of the route that serves or can be made to, while there is patience. Those that were lost with a
  // node come after those that were not. `chosen` is called once, here or on another thread; the error tells what
  // became of every model that was tried.
  void Next(const RoutePtr& route, SpecialistKeeper::Patience patience, Chosen chosen);

  // Whether another model may be tried after this error, when nothing of an answer has gone out; notes it.
  bool MayTryAnother(SpecialistRoute& route, const std::string& model, const absl::Status& error) const;

  // The model answers the conversation, whose next message goes to it too.
  void Remember(const SpecialistRoute& route, const std::string& model);

  // Of a model that the client names: it is not unloaded to make room meanwhile.
  SpecialistKeeper::Hold Use(const std::string& model) const { return keeper_.Use(model); }

  Executor& executor() { return executor_; }

 private:
  // The router's reading of the text; `why_not` where there is none.
  std::optional<LabelReading> Read(const Specialists& specialists, const std::string& text, std::string& why_not);
  bool RouterPauses();
  ModelView ViewFor(const RouteQuestion& question);  // which it borrows

  ControlPlane& plane_;
  SpecialistRegistry& registry_;
  SpecialistKeeper& keeper_;
  const Options options_;
  Conversations conversations_;
  absl::Mutex mutex_;
  absl::Duration paused_until_ ABSL_GUARDED_BY(mutex_);  // when the router may be asked again
  Executor executor_;                                    // last, so that its work ends before what it uses
};

// What an answer's headers, or metadata, say of its route, beside the model and its nodes.
std::vector<std::pair<std::string, std::string>> HeadersOf(const Decision& decision);
// Of a request whose client named the model.
std::vector<std::pair<std::string, std::string>> HeadersOfNamedModel();

}  // namespace enigma::coordinator
