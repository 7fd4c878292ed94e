#include "coordinator/gateway/inference_service.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/gateway/call_end.h"
#include "coordinator/gateway/embed_call.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kClassifyWithin = absl::Seconds(10);

absl::Status Overloaded() {
  return absl::ResourceExhaustedError("too many calls wait for tokenisation; try again later");
}

// Empty where it is absent.
std::string_view Metadata(const grpc::CallbackServerContext& context, const char* name) {
  const auto found = context.client_metadata().find(name);
  if (found == context.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

void AddLabels(const LabelReading& reading, enigma::v1::ClassifyReply& reply) {
  std::vector<size_t> order(reading.labels.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return reading.probabilities[a] > reading.probabilities[b]; });
  for (const size_t i : order) {
    enigma::v1::LabelProbability& label = *reply.add_labels();
    label.set_label(reading.labels[i]);
    label.set_probability(reading.probabilities[i]);
  }
  reply.set_model(reading.model);
  reply.set_threshold(reading.threshold);
  reply.mutable_nodes()->Assign(reading.nodes.begin(), reading.nodes.end());
}

// Nodes of the replica that the next request to the model would most likely go to; none where it is not in service.
std::vector<std::string> NodesOf(const ControlPlane& plane, const std::string& model) {
  for (const Replica& replica : plane.replicas.OfModel(model)) {
    if (!replica.serves()) continue;
    std::vector<std::string> nodes;
    for (const auto& stage : replica.stages) nodes.push_back(stage.node_id());
    return nodes;
  }
  return {};
}

}  // namespace

grpc::ServerWriteReactor<enigma::v1::GenerateChunk>* InferenceService::Generate(
    grpc::CallbackServerContext* context, const enigma::v1::GenerateRequest* request) {
  enigma::v1::GenerateRequest settled = *request;
  absl::StatusOr<Intake::Pass> pass = plane_.intake.Enter(request->ByteSizeLong());
  const bool routed = router_.Routes(request->model());
  absl::StatusOr<Caller> caller = absl::UnknownError("not asked");
  absl::StatusOr<KeyLease> lease = absl::UnknownError("not asked");
  const absl::Status admitted = [&]() -> absl::Status {
    ENIGMA_RETURN_IF_ERROR(pass.status());
    caller = access_.ForInference(*context, context->peer());
    ENIGMA_RETURN_IF_ERROR(caller.status());
    if (!routed) ENIGMA_RETURN_IF_ERROR(RefuseWishes(request->model(), Metadata(*context, "x-enigma-task")));
    lease = AdmitRequests(plane_.key_limits, *caller, std::span(&settled, 1), EstimateTokens(settled), routed);
    return lease.status();
  }();
  const std::shared_ptr<GenerateStream> stream = GenerateStream::Make(plane_, std::move(settled), *context);
  if (!admitted.ok()) {
    stream->Fail(admitted);
    return stream.get();
  }
  stream->Hold(*std::move(pass), *std::move(lease), request_time_max_);
  const enigma::v1::SamplingParams& sampling = request->sampling();
  // Which schema calls of tools come to is known once the template is read.
  const bool compiles =
      !request->chat().tools().empty() || (sampling.has_json_schema() && !plane_.schemas.Knows(sampling.json_schema()));
  Executor& executor = compiles ? schema_executor_ : executor_;
  if (routed) {
    RouteThenBegin(
        {std::string(Metadata(*context, "x-enigma-route")), std::string(Metadata(*context, "x-enigma-task"))}, *caller,
        stream, executor);
  } else if (!executor.TryRun([this, stream] { stream->Begin(router_.Use(stream->request().model())); })) {
    stream->Fail(Overloaded());
  }
  return stream.get();
}

void InferenceService::RouteThenBegin(RouteWishes wishes, const Caller& caller,
                                      const std::shared_ptr<GenerateStream>& stream, Executor& executor) {
  const absl::Duration began = plane_.clock.Monotonic();
  const auto ask = [this, wishes = std::move(wishes), caller, stream, began]() -> absl::StatusOr<QuestionPtr> {
    ENIGMA_ASSIGN_OR_RETURN(RoutableRequest described, RoutableRequestOf(stream->request()));
    described.features.has_image = stream->has_pictures();
    stream->MarkPictures(described.turns);
    ENIGMA_RETURN_IF_ERROR(SetWishes(wishes, described.features));
    return router_.Ask(std::move(described), caller, began);
  };
  if (!executor.TryRun([this, ask, stream, &executor] {
        const absl::StatusOr<QuestionPtr> question = ask();
        if (!question.ok()) return stream->Fail(question.status());
        // Where the router has no say, nothing waits behind those who ask it.
        if (!(*question)->asks_router) return Route(*question, stream, executor);
        if (!router_.executor().TryRun(
                [this, question = *question, stream, &executor] { Route(question, stream, executor); })) {
          stream->Fail(Overloaded());
        }
      })) {
    stream->Fail(Overloaded());
  }
}

void InferenceService::Route(const QuestionPtr& question, const std::shared_ptr<GenerateStream>& stream,
                             Executor& executor) {
  const absl::StatusOr<RoutePtr> route = router_.Decide(*question);
  if (!route.ok()) return stream->Fail(route.status());
  router_.Count(*question, **route);
  // Weak: the stream keeps it.
  stream->Follow(router_, *route, executor,
                 [this, caller = question->caller, weak = stream->weak_from_this()]() -> absl::StatusOr<KeyLease> {
                   const std::shared_ptr<GenerateStream> alive = weak.lock();
                   if (alive == nullptr) return absl::CancelledError("the client went away");
                   return AdmitRequest(plane_.key_limits, caller, kAutoModel, EstimateTokens(alive->request()),
                                       /*routed=*/true);
                 });
}

grpc::ServerUnaryReactor* InferenceService::Embed(grpc::CallbackServerContext* context,
                                                  const enigma::v1::EmbedRequest* request,
                                                  enigma::v1::EmbedReply* reply) {
  enigma::v1::EmbedRequest settled = *request;
  absl::StatusOr<Intake::Pass> pass = plane_.intake.Enter(request->ByteSizeLong());
  absl::StatusOr<KeyLease> lease = pass.ok() ? AdmitCaller(*context, settled) : pass.status();
  const std::shared_ptr<EmbedCall> call = EmbedCall::Make(plane_, std::move(settled), *reply, *context);
  if (!lease.ok()) {
    call->embeddings().Fail(lease.status());
    return call.get();
  }
  call->Hold(*std::move(pass), *std::move(lease), request_time_max_);
  if (!executor_.TryRun([this, call] { call->Begin(router_.Use(call->model())); }))
    call->embeddings().Fail(Overloaded());
  return call.get();
}

grpc::ServerUnaryReactor* InferenceService::Unary(Executor& executor, grpc::CallbackServerContext* context,
                                                  uint64_t bytes,
                                                  std::function<absl::Status(const Caller& caller)> work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::StatusOr<Intake::Pass> entered = plane_.intake.Enter(bytes);
  const absl::StatusOr<Caller> caller = access_.ForInference(*context, context->peer());
  if (!entered.ok() || !caller.ok()) {
    reactor->Finish(EndOf(*context, entered.ok() ? caller.status() : entered.status()));
    return reactor;
  }
  // Shared because functions are copied.
  auto pass = std::make_shared<Intake::Pass>(*std::move(entered));
  if (!executor.TryRun([reactor, context, caller = *caller, pass = std::move(pass), work = std::move(work)] {
        reactor->Finish(EndOf(*context, work(caller)));
      })) {
    reactor->Finish(EndOf(*context, Overloaded()));
  }
  return reactor;
}

grpc::ServerUnaryReactor* InferenceService::UnaryOfModel(grpc::CallbackServerContext* context, uint64_t bytes,
                                                         const std::string& model, std::function<absl::Status()> work) {
  return Unary(context, bytes, [this, &model, work = std::move(work)](const Caller& caller) {
    const absl::StatusOr<KeyLease> lease = AdmitRequest(plane_.key_limits, caller, model, 0);
    return lease.ok() ? work() : lease.status();
  });
}

grpc::ServerUnaryReactor* InferenceService::Classify(grpc::CallbackServerContext* context,
                                                     const enigma::v1::ClassifyRequest* request,
                                                     enigma::v1::ClassifyReply* reply) {
  return Unary(classify_executor_, context, request->ByteSizeLong(),
               [this, request, reply](const Caller& caller) { return ClassifyFor(caller, *request, *reply); });
}

absl::Status InferenceService::ClassifyFor(const Caller& caller, const enigma::v1::ClassifyRequest& request,
                                           enigma::v1::ClassifyReply& reply) {
  const bool routes = request.model().empty() || router_.Routes(request.model());
  const std::string model = routes ? kAutoModel : request.model();
  ENIGMA_ASSIGN_OR_RETURN(const KeyLease lease, AdmitRequest(plane_.key_limits, caller, model, 0, routes));
  const absl::Duration began = plane_.clock.Monotonic();
  if (routes) {
    ENIGMA_ASSIGN_OR_RETURN(const QuestionPtr question, router_.Ask(RoutableRequestOf(request.text()), caller, began));
    ENIGMA_ASSIGN_OR_RETURN(const RoutePtr route, router_.Decide(*question));
    // What else the router said is for those who may ask it by name.
    if (route->reading && caller.MayUse(route->reading->model)) AddLabels(*route->reading, reply);
    const Decision& decision = route->decision;
    enigma::v1::RouteInfo& info = *reply.mutable_route();
    info.set_task(decision.task);
    info.set_model(route->models.front());
    info.set_method(std::string(RouteMethodName(decision.method)));
    info.set_intent(decision.intent);
    info.set_confidence(decision.confidence);
    info.set_why(decision.why);
    const std::vector<std::string> nodes = NodesOf(plane_, route->models.front());
    info.mutable_nodes()->Assign(nodes.begin(), nodes.end());
  } else {
    const SpecialistKeeper::Hold hold = router_.Use(model);
    ENIGMA_ASSIGN_OR_RETURN(const LabelReading reading, ClassifyText(plane_, model, request.text(), kClassifyWithin));
    AddLabels(reading, reply);
  }
  reply.set_seconds(absl::ToDoubleSeconds(plane_.clock.Monotonic() - began));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* InferenceService::Tokenize(grpc::CallbackServerContext* context,
                                                     const enigma::v1::TokenizeRequest* request,
                                                     enigma::v1::TokenizeReply* reply) {
  return UnaryOfModel(context, request->ByteSizeLong(), request->model(), [this, request, reply]() -> absl::Status {
    ENIGMA_ASSIGN_OR_RETURN(const ModelPtr model, plane_.models.Find(request->model()));
    ENIGMA_ASSIGN_OR_RETURN(const TokenizerPtr tokenizer, plane_.files.Tokenizer(*model));
    const std::vector<engine::TokenId> ids = tokenizer->Encode(
        request->text(), {.add_special = request->add_special(), .parse_special = request->parse_special()});
    reply->mutable_ids()->Assign(ids.begin(), ids.end());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::Detokenize(grpc::CallbackServerContext* context,
                                                       const enigma::v1::DetokenizeRequest* request,
                                                       enigma::v1::DetokenizeReply* reply) {
  return UnaryOfModel(context, request->ByteSizeLong(), request->model(), [this, request, reply]() -> absl::Status {
    ENIGMA_ASSIGN_OR_RETURN(const ModelPtr model, plane_.models.Find(request->model()));
    ENIGMA_ASSIGN_OR_RETURN(const TokenizerPtr tokenizer, plane_.files.Tokenizer(*model));
    for (const int32_t id : request->ids()) {
      if (id < 0 || static_cast<uint32_t>(id) >= tokenizer->vocab_size()) {
        return absl::InvalidArgumentError(absl::StrCat("ids: ", id, " is not a token of '", model->name, "'"));
      }
    }
    reply->set_text(engine::Decode(*tokenizer, {request->ids().begin(), request->ids().end()}));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* InferenceService::ListModels(grpc::CallbackServerContext* context,
                                                       const enigma::v1::ListModelsRequest*,
                                                       enigma::v1::ListModelsReply* reply) {
  return Unary(context, 0, [this, reply](const Caller& caller) {
    const auto add = [reply](enigma::v1::ModelCard card) {
      reply->add_known(card.name());
      if (card.ready()) reply->add_ready(card.name());
      *reply->add_models() = std::move(card);
    };
    for (const ModelPtr& model : plane_.models.List()) {
      if (!caller.MayUse(model->name)) continue;
      const std::vector<Replica> replicas = plane_.replicas.OfModel(model->name);
      add(CardOf(*model, std::any_of(replicas.begin(), replicas.end(),
                                     [](const Replica& replica) { return replica.state == ReplicaState::kReady; })));
    }
    if (router_.configured()) {
      enigma::v1::ModelCard card;
      card.set_name(kAutoModel);
      card.set_ready(router_.in_force());
      card.set_has_chat_template(true);
      add(std::move(card));
    }
    return absl::OkStatus();
  });
}

enigma::v1::ModelCard InferenceService::CardOf(const Model& model, bool ready) const {
  enigma::v1::ModelCard card;
  card.set_name(model.name);
  card.set_ready(ready);
  card.set_context(model.context);
  card.set_hidden(model.hidden);
  card.set_has_chat_template(plane_.files.HasChat(model));
  card.set_takes_pictures(model.encoder.has_value());
  return card;
}

}  // namespace enigma::coordinator
