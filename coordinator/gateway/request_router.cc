#include "coordinator/gateway/request_router.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/gateway/call_end.h"
#include "coordinator/gateway/prompt.h"
#include "coordinator/operations/plan_model.h"
#include "coordinator/routing/capability_gate.h"
#include "coordinator/scheduling/key_limits.h"

namespace enigma::coordinator {
namespace {

constexpr char kMethodHeader[] = "x-enigma-route-method";

// Headers carry printable ASCII alone; the labels of a router may be anything.
std::string PercentEncoded(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte > 0x7E || c == '%') {
      absl::StrAppendFormat(&encoded, "%%%02X", byte);
    } else {
      encoded += c;
    }
  }
  return encoded;
}

void Note(SpecialistRoute& route, const std::string& model, const absl::Status& failure) {
  absl::StrAppend(&route.failures, route.failures.empty() ? "" : "; ", model, ": ", failure.message());
  route.last_failure = failure;
}

// Whether the model can take the request.
bool Takes(const std::string& model, const RequestFeatures& features, const ModelView& view) {
  if (features.has_image && ThatTakeImages({model}, view).empty()) return false;
  return ReasonAgainst(model, features, view).empty();
}

// What to say when no model is left.
absl::Status AllFailed(const SpecialistRoute& route) {
  if (route.last_failure.ok()) return absl::InternalError("a route has no model");
  if (route.failures.find("; ") == std::string::npos) return route.last_failure;
  return absl::Status(route.last_failure.code(), absl::StrCat("no specialist answers: ", route.failures));
}

absl::Status NoRegistry(const Caller& caller, const absl::Status& fault) {
  // What is wrong names models and nodes, which are not for whoever has a key.
  const std::string why = caller.key != nullptr ? "its specialists are not in force; who runs this cluster can tell why"
                          : fault.ok() ? "no specialists are configured (enigma coordinator --specialists FILE)"
                                       : std::string(fault.message());
  return absl::FailedPreconditionError(absl::StrCat("model: '", kAutoModel, "' routes to nobody: ", why));
}

}  // namespace

ModelView RequestRouter::ViewFor(const RouteQuestion& question) {
  const RoutableRequest& request = question.request;
  ModelView view;
  view.abilities = [this, &request,
                    &caller = question.caller](const std::string& name) -> std::optional<ModelAbilities> {
    const absl::StatusOr<ModelPtr> model = plane_.models.Find(name);
    if (!model.ok()) return std::nullopt;
    const absl::StatusOr<ServedModel> served = FindServed(plane_, name);
    ModelAbilities abilities;
    abilities.images = (*model)->encoder.has_value();
    abilities.allowed = caller.MayUse(name);
    abilities.context = served.ok() ? served->context : std::min((*model)->context, kDefaultContextMax);
    if (request.features.wants_tools || abilities.images) {
      const absl::StatusOr<ChatTemplatePtr> chat = plane_.files.Chat(**model);
      abilities.tools = chat.ok() && (*chat)->abilities().tools;
      abilities.text = !chat.ok() || (*chat)->abilities().user_text;
    }
    return abilities;
  };
  view.prompt_tokens = [this, &request](const std::string& name) -> uint64_t {
    const absl::StatusOr<ModelPtr> model = plane_.models.Find(name);
    if (!model.ok()) return 0;
    const absl::StatusOr<TokenizerPtr> tokenizer = plane_.files.Tokenizer(**model);
    return tokenizer.ok() ? (*tokenizer)->Encode(request.all_text, {}).size() : 0;
  };
  return view;
}

bool RequestRouter::RouterPauses() {
  absl::MutexLock lock(&mutex_);
  return plane_.clock.Monotonic() < paused_until_;
}

std::optional<LabelReading> RequestRouter::Read(const Specialists& specialists, const std::string& text,
                                                std::string& why_not) {
  if (RouterPauses()) {
    why_not = "the router did not answer in time a moment ago";
    return std::nullopt;
  }
  const std::string before = keeper_.StandIn(specialists.router);
  const std::string& router = before.empty() ? specialists.router : before;
  absl::StatusOr<LabelReading> reading = ClassifyText(plane_, router, text, options_.patience);
  if (reading.ok()) return *std::move(reading);
  why_not = absl::StrCat("the router does not answer (", reading.status().message(), ")");
  if (absl::IsDeadlineExceeded(reading.status())) {
    absl::MutexLock lock(&mutex_);
    paused_until_ = plane_.clock.Monotonic() + options_.pause;
  }
  return std::nullopt;
}

absl::StatusOr<QuestionPtr> RequestRouter::Ask(RoutableRequest request, const Caller& caller, absl::Duration began) {
  auto question = std::make_shared<RouteQuestion>();
  question->table = registry_.table();
  if (question->table == nullptr) return NoRegistry(caller, registry_.fault());
  question->caller = caller;
  question->began = began;
  RequestFeatures& features = request.features;
  if (!request.turns.empty()) {
    question->conversation = ConversationKey(caller.who, request.turns);
    if (const auto earlier = EarlierKey(caller.who, request.turns))
      features.earlier = conversations_.Find(*earlier, plane_.clock.Monotonic());
  }
  question->asks_router = WantsVerdict(question->table->specialists, features) && !RouterPauses();
  question->request = std::move(request);
  return question;
}

absl::StatusOr<RoutePtr> RequestRouter::Decide(const RouteQuestion& question) {
  const RoutingTable& table = *question.table;
  const RequestFeatures& features = question.request.features;
  auto route = std::make_shared<SpecialistRoute>();
  route->conversation = question.conversation;
  std::string why_not;
  std::optional<RouterVerdict> verdict;
  if (WantsVerdict(table.specialists, features)) {
    route->reading = Read(table.specialists, features.text, why_not);
    if (route->reading) {
      verdict = RouterVerdict{route->reading->label(), route->reading->confidence(), route->reading->threshold};
    }
  }
  const ModelView view = ViewFor(question);
  ENIGMA_ASSIGN_OR_RETURN(route->decision,
                          coordinator::Decide(table.specialists, table.keywords, features, verdict, why_not, view));
  const Decision& decision = route->decision;
  route->models = {decision.model};
  route->models.insert(route->models.end(), decision.fallback.begin(), decision.fallback.end());
  if (const std::string before = keeper_.StandIn(decision.model); !before.empty() && Takes(before, features, view)) {
    std::erase(route->models, before);
    route->models.insert(route->models.begin(), before);
  }
  std::erase_if(route->models, [&](const std::string& model) { return !question.caller.MayUse(model); });
  if (route->models.empty()) return CheckModel(question.caller, decision.model);
  return route;
}

void RequestRouter::Count(const RouteQuestion& question, const SpecialistRoute& route) {
  const Decision& decision = route.decision;
  plane_.metrics
      .Counter(Metric::kRoutes, {{"task", decision.task},
                                 {"method", std::string(RouteMethodName(decision.method))},
                                 {"model_name", route.models.front()}})
      .Increment();
  plane_.metrics.Histogram(Metric::kRouteSeconds)
      .Observe(absl::ToDoubleSeconds(plane_.clock.Monotonic() - question.began));
  if (decision.intent.empty()) return;
  const bool claimed = question.table->specialists.TaskOfIntent(decision.intent) != nullptr;
  plane_.metrics.Counter(Metric::kRouteIntents, {{"intent", claimed ? decision.intent : "other"}}).Increment();
  plane_.metrics.Histogram(Metric::kRouteConfidence).Observe(decision.confidence);
}

void RequestRouter::Next(const RoutePtr& route, SpecialistKeeper::Patience patience, Chosen chosen) {
  if (route->models.empty()) return chosen(AllFailed(*route));
  const auto not_lost = [this](const std::string& model) {
    return keeper_.StandingOf(model) != SpecialistKeeper::Standing::kLost;
  };
  auto next = std::find_if(route->models.begin(), route->models.end(), not_lost);
  if (next == route->models.end()) next = route->models.begin();
  const std::string model = *next;
  route->models.erase(next);
  keeper_.Want(
      model, patience,
      [this, route, patience, model, chosen = std::move(chosen)](const absl::StatusOr<SpecialistKeeper::Hold>& hold) {
        if (hold.ok()) return chosen(Choice{model, *hold});
        if (absl::IsCancelled(hold.status())) return chosen(hold.status());  // nobody waits
        Note(*route, model, hold.status());
        if (plane_.clock.Monotonic() >= patience.deadline) return chosen(Late());
        Next(route, patience, chosen);
      });
}

bool RequestRouter::MayTryAnother(SpecialistRoute& route, const std::string& model, const absl::Status& error) const {
  // What a key's limits refuse, and what is wrong with the request, another model does not mend.
  if (RetryAfter(error)) return false;
  const bool of_the_model = absl::IsUnavailable(error) || absl::IsAborted(error) || absl::IsFailedPrecondition(error) ||
                            absl::IsResourceExhausted(error) || absl::IsNotFound(error) || absl::IsInternal(error);
  if (!of_the_model || !plane_.intake.open()) return false;
  Note(route, model, error);
  return !route.models.empty();
}

void RequestRouter::Remember(const SpecialistRoute& route, const std::string& model) {
  if (route.conversation.empty()) return;
  conversations_.Remember(route.conversation, {route.decision.task, model}, plane_.clock.Monotonic());
}

std::vector<std::pair<std::string, std::string>> HeadersOf(const Decision& decision) {
  std::vector<std::pair<std::string, std::string>> headers = {
      {kMethodHeader, std::string(RouteMethodName(decision.method))}};
  if (!decision.intent.empty()) {
    headers.emplace_back("x-enigma-intent", PercentEncoded(decision.intent));
    headers.emplace_back("x-enigma-confidence", absl::StrFormat("%.4f", decision.confidence));
  }
  return headers;
}

std::vector<std::pair<std::string, std::string>> HeadersOfNamedModel() {
  return {{kMethodHeader, std::string(RouteMethodName(RouteMethod::kExplicit))}};
}

}  // namespace enigma::coordinator
