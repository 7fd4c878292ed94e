#include "coordinator/gateway/inference_service.h"

#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {
namespace {

absl::Status Overloaded() {
  return absl::ResourceExhaustedError("too many calls wait for tokenisation; try again later");
}

}  // namespace

grpc::ServerWriteReactor<enigma::v1::GenerateChunk>* InferenceService::Generate(
    grpc::CallbackServerContext* context, const enigma::v1::GenerateRequest* request) {
  const std::shared_ptr<GenerateStream> stream = GenerateStream::Make(plane_, options_, *request);
  const absl::Status admitted = access_.ForInference(*context, context->peer());
  if (!admitted.ok()) {
    stream->generation().Fail(admitted);
  } else if (!executor_.TryRun([stream] { stream->generation().Begin(); })) {
    stream->generation().Fail(Overloaded());
  }
  return stream.get();
}

grpc::ServerUnaryReactor* InferenceService::Unary(grpc::CallbackServerContext* context,
                                                  std::function<absl::Status()> work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::Status admitted = access_.ForInference(*context, context->peer());
  if (!admitted.ok()) {
    reactor->Finish(ToGrpc(admitted));
  } else if (!executor_.TryRun([reactor, work = std::move(work)] { reactor->Finish(ToGrpc(work())); })) {
    reactor->Finish(ToGrpc(Overloaded()));
  }
  return reactor;
}

grpc::ServerUnaryReactor* InferenceService::Tokenize(grpc::CallbackServerContext* context,
                                                     const enigma::v1::TokenizeRequest* request,
                                                     enigma::v1::TokenizeReply* reply) {
  return Unary(context, [this, request, reply]() -> absl::Status {
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
  return Unary(context, [this, request, reply]() -> absl::Status {
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
  return Unary(context, [this, reply] {
    for (const ModelPtr& model : plane_.models.List()) {
      reply->add_known(model->name);
      for (const Replica& replica : plane_.replicas.OfModel(model->name)) {
        if (replica.state != ReplicaState::kReady) continue;
        reply->add_ready(model->name);
        break;
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace enigma::coordinator
