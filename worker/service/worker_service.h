#pragma once

#include "proto/worker.grpc.pb.h"
#include "rpc/authorisation.h"
#include "worker/service/worker_state.h"

namespace enigma::worker {

// What the coordinator (and, for Echo, other workers) may ask. Thread-safe. Streams occupy a thread of gRPC's each
// while they last; none of them runs layers.
class WorkerService final : public v1::Worker::Service {
 public:
  WorkerService(WorkerState& state, const Authoriser& authoriser) : state_(state), authoriser_(authoriser) {}

  grpc::Status LoadStage(grpc::ServerContext* context, const v1::LoadStageRequest* request,
                         grpc::ServerWriter<v1::LoadStageProgress>* writer) override;
  grpc::Status ConnectStage(grpc::ServerContext* context, const v1::ConnectStageRequest* request,
                            v1::ConnectStageReply* reply) override;
  grpc::Status UnloadStage(grpc::ServerContext* context, const v1::UnloadStageRequest* request,
                           v1::UnloadStageReply* reply) override;
  grpc::Status PrepareConstraint(grpc::ServerContext* context, const v1::PrepareConstraintRequest* request,
                                 v1::PrepareConstraintReply* reply) override;
  grpc::Status Encode(grpc::ServerContext* context, const v1::EncodeRequest* request, v1::EncodeReply* reply) override;
  grpc::Status Submit(grpc::ServerContext* context,
                      grpc::ServerReaderWriter<v1::SubmitReply, v1::SequenceCommand>* stream) override;
  grpc::Status Tokens(grpc::ServerContext* context, const v1::TokensRequest* request,
                      grpc::ServerWriter<v1::TokenEvents>* writer) override;
  grpc::Status ProbeLink(grpc::ServerContext* context, const v1::ProbeLinkRequest* request,
                         v1::ProbeLinkReply* reply) override;
  grpc::Status Echo(grpc::ServerContext* context, const v1::EchoRequest* request, v1::EchoReply* reply) override;

 private:
  absl::Status Authorise(const grpc::ServerContext& context) const;  // coordinators only

  WorkerState& state_;
  const Authoriser authoriser_;
};

}  // namespace enigma::worker
