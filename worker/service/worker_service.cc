#include "worker/service/worker_service.h"

#include <thread>

#include <absl/synchronization/notification.h>

#include "base/status_macros.h"
#include "rpc/status_conversion.h"
#include "worker/service/connect_stage.h"
#include "worker/service/load_stage.h"
#include "worker/service/probe_link.h"
#include "worker/service/submit.h"
#include "worker/service/tokens.h"

namespace enigma::worker {
namespace {

constexpr absl::Duration kProgressEvery = absl::Milliseconds(200);

template <typename Request, typename Reply>
absl::Status Put(const absl::StatusOr<Request>& result, Reply* reply) {
  if (result.ok()) *reply = *result;
  return result.status();
}

}  // namespace

absl::Status WorkerService::Authorise(const grpc::ServerContext& context) const {
  return authoriser_.Authorise(context, {Role::kCoordinator}).status();
}

grpc::Status WorkerService::LoadStage(grpc::ServerContext* context, const v1::LoadStageRequest* request,
                                      grpc::ServerWriter<v1::LoadStageProgress>* writer) {
  if (const absl::Status allowed = Authorise(*context); !allowed.ok()) return ToGrpc(allowed);
  worker::LoadStage load(state_, *request);
  absl::Notification done;
  absl::Status loaded;
  std::thread loader([&] {
    loaded = load.Run();
    done.Notify();
  });
  while (!done.WaitForNotificationWithTimeout(kProgressEvery)) {
    if (context->IsCancelled() || !writer->Write(load.Progress())) load.Cancel();
  }
  loader.join();
  if (!loaded.ok()) return ToGrpc(loaded);
  v1::LoadStageProgress last = load.Progress();
  last.set_done(true);
  writer->Write(last);
  return grpc::Status::OK;
}

grpc::Status WorkerService::ConnectStage(grpc::ServerContext* context, const v1::ConnectStageRequest* request,
                                         v1::ConnectStageReply* /*reply*/) {
  if (const absl::Status allowed = Authorise(*context); !allowed.ok()) return ToGrpc(allowed);
  return ToGrpc(worker::ConnectStage(state_, *request));
}

grpc::Status WorkerService::UnloadStage(grpc::ServerContext* context, const v1::UnloadStageRequest* request,
                                        v1::UnloadStageReply* /*reply*/) {
  if (const absl::Status allowed = Authorise(*context); !allowed.ok()) return ToGrpc(allowed);
  const absl::Status stage = state_.stages.Remove(request->replica());
  const absl::Status encoder = state_.encoders.Remove(request->replica());
  return ToGrpc(encoder.ok() ? encoder : stage);
}

grpc::Status WorkerService::PrepareConstraint(grpc::ServerContext* context, const v1::PrepareConstraintRequest* request,
                                              v1::PrepareConstraintReply* /*reply*/) {
  if (const absl::Status allowed = Authorise(*context); !allowed.ok()) return ToGrpc(allowed);
  const absl::StatusOr<std::shared_ptr<StageExecutor>> stage = state_.stages.Find(request->replica());
  if (!stage.ok()) return ToGrpc(stage.status());
  return ToGrpc((*stage)->PrepareConstraint(request->sequence(), request->json_schema()));
}

grpc::Status WorkerService::Encode(grpc::ServerContext* context, const v1::EncodeRequest* request,
                                   v1::EncodeReply* reply) {
  if (const absl::Status allowed = Authorise(*context); !allowed.ok()) return ToGrpc(allowed);
  const absl::StatusOr<std::shared_ptr<EncoderStage>> encoder = state_.encoders.Find(request->replica());
  if (!encoder.ok()) return ToGrpc(encoder.status());
  const auto rows = (*encoder)->Encode(request->image(), [context] { return context->IsCancelled(); });
  if (!rows.ok()) return ToGrpc(rows.status());
  reply->mutable_rows()->Assign(rows->begin(), rows->end());
  return grpc::Status::OK;
}

grpc::Status WorkerService::Submit(grpc::ServerContext* context,
                                   grpc::ServerReaderWriter<v1::SubmitReply, v1::SequenceCommand>* stream) {
  if (const absl::Status allowed = Authorise(*context); !allowed.ok()) return ToGrpc(allowed);
  return ToGrpc(ServeSubmit(state_.stages, *context, *stream));
}

grpc::Status WorkerService::Tokens(grpc::ServerContext* context, const v1::TokensRequest* request,
                                   grpc::ServerWriter<v1::TokenEvents>* writer) {
  if (const absl::Status allowed = Authorise(*context); !allowed.ok()) return ToGrpc(allowed);
  return ToGrpc(ServeTokens(state_.stages, *request, *context, *writer));
}

grpc::Status WorkerService::ProbeLink(grpc::ServerContext* context, const v1::ProbeLinkRequest* request,
                                      v1::ProbeLinkReply* reply) {
  if (const absl::Status allowed = Authorise(*context); !allowed.ok()) return ToGrpc(allowed);
  return ToGrpc(Put(worker::ProbeLink(state_.channels, *request), reply));
}

grpc::Status WorkerService::Echo(grpc::ServerContext* context, const v1::EchoRequest* request, v1::EchoReply* reply) {
  const absl::StatusOr<Peer> peer = authoriser_.Authorise(*context, {Role::kWorker, Role::kCoordinator});
  if (!peer.ok()) return ToGrpc(peer.status());
  reply->set_received_bytes(request->payload().size());
  return grpc::Status::OK;
}

}  // namespace enigma::worker
