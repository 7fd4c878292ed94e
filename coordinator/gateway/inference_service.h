#pragma once

#include <span>

#include <absl/time/time.h>

#include "coordinator/gateway/access.h"
#include "coordinator/gateway/executor.h"
#include "coordinator/gateway/generate_stream.h"
#include "coordinator/gateway/request_router.h"
#include "coordinator/operations/control_plane.h"
#include "proto/inference.grpc.pb.h"

namespace enigma::coordinator {

// enigma.v1.Inference, the public API. No thread waits for a request: streams live on gRPC's callback threads, and
// tokenising on a few of this service's own.
class InferenceService final : public enigma::v1::Inference::CallbackService {
 public:
  // `request_time_max`: after which a request ends, whatever deadline its caller set, or none.
  InferenceService(ControlPlane& plane, const Access& access, RequestRouter& router, absl::Duration request_time_max)
      : plane_(plane), access_(access), router_(router), request_time_max_(request_time_max) {}

  grpc::ServerWriteReactor<enigma::v1::GenerateChunk>* Generate(grpc::CallbackServerContext* context,
                                                                const enigma::v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* Embed(grpc::CallbackServerContext* context, const enigma::v1::EmbedRequest* request,
                                  enigma::v1::EmbedReply* reply) override;
  grpc::ServerUnaryReactor* Classify(grpc::CallbackServerContext* context, const enigma::v1::ClassifyRequest* request,
                                     enigma::v1::ClassifyReply* reply) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context, const enigma::v1::TokenizeRequest* request,
                                     enigma::v1::TokenizeReply* reply) override;
  grpc::ServerUnaryReactor* Detokenize(grpc::CallbackServerContext* context,
                                       const enigma::v1::DetokenizeRequest* request,
                                       enigma::v1::DetokenizeReply* reply) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const enigma::v1::ListModelsRequest* request,
                                       enigma::v1::ListModelsReply* reply) override;

 private:
  // Who asks, and whether they may right now; settles the request's priority.
  template <class Request>
  absl::StatusOr<KeyLease> AdmitCaller(const grpc::CallbackServerContext& context, Request& request) const {
    const absl::StatusOr<Caller> caller = access_.ForInference(context, context.peer());
    if (!caller.ok()) return caller.status();
    return AdmitRequests(plane_.key_limits, *caller, std::span(&request, 1), EstimateTokens(request));
  }
  // Decides who answers, off gRPC's threads, and has the stream follow.
  void RouteThenBegin(RouteWishes wishes, const Caller& caller, const std::shared_ptr<GenerateStream>& stream,
                      Executor& executor);
  void Route(const QuestionPtr& question, const std::shared_ptr<GenerateStream>& stream, Executor& executor);
  enigma::v1::ModelCard CardOf(const Model& model, bool ready) const;
  absl::Status ClassifyFor(const Caller& caller, const enigma::v1::ClassifyRequest& request,
                           enigma::v1::ClassifyReply& reply);
  // Runs `work` on the service's own threads, for who may ask, and finishes the call with its status. `bytes`: how
  // large the request is.
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, uint64_t bytes,
                                  std::function<absl::Status(const Caller& caller)> work) {
    return Unary(executor_, context, bytes, std::move(work));
  }
  grpc::ServerUnaryReactor* Unary(Executor& executor, grpc::CallbackServerContext* context, uint64_t bytes,
                                  std::function<absl::Status(const Caller& caller)> work);
  // One that asks for a model, and so counts against the limits of the caller's key.
  grpc::ServerUnaryReactor* UnaryOfModel(grpc::CallbackServerContext* context, uint64_t bytes, const std::string& model,
                                         std::function<absl::Status()> work);

  ControlPlane& plane_;
  const Access& access_;
  RequestRouter& router_;
  const absl::Duration request_time_max_;
  Executor executor_{2};
  Executor schema_executor_{1};    // so that many new schemas hold nothing else up
  Executor classify_executor_{2};  // waits for routers that are asked by name, so that nobody else waits behind them
};

}  // namespace enigma::coordinator
