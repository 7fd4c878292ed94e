#include "coordinator/gateway/inference_service.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/gateway/call_end.h"
#include "coordinator/gateway/embed_call.h"

namespace enigma::coordinator {
namespace {

absl::Status Overloaded() {
  return absl::ResourceExhaustedError("too many calls wait for tokenisation; try again later");
}

}  // namespace

grpc::ServerWriteReactor<enigma::v1::GenerateChunk>* InferenceService::Generate(
    grpc::CallbackServerContext* context, const enigma::v1::GenerateRequest* request) {
  enigma::v1::GenerateRequest settled = *request;
  absl::StatusOr<Intake::Pass> pass = plane_.intake.Enter(request->ByteSizeLong());
  absl::StatusOr<KeyLease> lease = pass.ok() ? AdmitCaller(*context, settled) : pass.status();
  const std::shared_ptr<GenerateStream> stream = GenerateStream::Make(plane_, {}, std::move(settled), *context);
  if (!lease.ok()) {
    stream->generation().Fail(lease.status());
    return stream.get();
  }
  stream->Hold(*std::move(pass), *std::move(lease), request_time_max_);
  const enigma::v1::SamplingParams& sampling = request->sampling();
  // Which schema calls of tools come to is known once the template is read.
  const bool compiles =
      !request->chat().tools().empty() || (sampling.has_json_schema() && !plane_.schemas.Knows(sampling.json_schema()));
  Executor& executor = compiles ? schema_executor_ : executor_;
  if (!executor.TryRun([stream] { stream->Begin(); })) stream->generation().Fail(Overloaded());
  return stream.get();
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
  if (!executor_.TryRun([call] { call->Begin(); })) call->embeddings().Fail(Overloaded());
  return call.get();
}

grpc::ServerUnaryReactor* InferenceService::Unary(grpc::CallbackServerContext* context, uint64_t bytes,
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
  if (!executor_.TryRun([reactor, context, caller = *caller, pass = std::move(pass), work = std::move(work)] {
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
    for (const ModelPtr& model : plane_.models.List()) {
      if (!caller.MayUse(model->name)) continue;
      const std::vector<Replica> replicas = plane_.replicas.OfModel(model->name);
      const bool ready = std::any_of(replicas.begin(), replicas.end(),
                                     [](const Replica& replica) { return replica.state == ReplicaState::kReady; });
      reply->add_known(model->name);
      if (ready) reply->add_ready(model->name);
      enigma::v1::ModelCard& card = *reply->add_models();
      card.set_name(model->name);
      card.set_ready(ready);
      card.set_context(model->context);
      card.set_hidden(model->hidden);
      card.set_has_chat_template(plane_.files.HasChat(*model));
    }
    return absl::OkStatus();
  });
}

}  // namespace enigma::coordinator
