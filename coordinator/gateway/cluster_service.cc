#include "coordinator/gateway/cluster_service.h"

#include "coordinator/operations/await_measurements.h"
#include "coordinator/operations/create_token.h"
#include "coordinator/operations/diagnose.h"
#include "coordinator/operations/import_model.h"
#include "coordinator/operations/list_models.h"
#include "coordinator/operations/list_nodes.h"
#include "coordinator/operations/load_model.h"
#include "coordinator/operations/plan_model.h"
#include "coordinator/operations/remove_model.h"
#include "coordinator/operations/remove_node.h"
#include "coordinator/operations/unload_model.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {

absl::Status ClusterService::Admit(const grpc::ServerContext& context) const {
  return access_.ForAdministration(context, context.peer());
}

grpc::Status ClusterService::ListNodes(grpc::ServerContext* context, const enigma::v1::ListNodesRequest*,
                                       enigma::v1::ListNodesReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  *reply = coordinator::ListNodes(plane_);
  return grpc::Status::OK;
}

grpc::Status ClusterService::RemoveNode(grpc::ServerContext* context, const enigma::v1::RemoveNodeRequest* request,
                                        enigma::v1::RemoveNodeReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  const absl::StatusOr<std::string> removed = coordinator::RemoveNode(plane_, request->node());
  if (!removed.ok()) return ToGrpc(removed.status());
  reply->set_node_id(*removed);
  return grpc::Status::OK;
}

grpc::Status ClusterService::ListModels(grpc::ServerContext* context, const enigma::v1::ListClusterModelsRequest*,
                                        enigma::v1::ListClusterModelsReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  *reply = coordinator::ListModels(plane_);
  return grpc::Status::OK;
}

grpc::Status ClusterService::ImportModel(grpc::ServerContext* context, const enigma::v1::ImportModelRequest* request,
                                         grpc::ServerWriter<enigma::v1::ImportModelProgress>* writer) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  enigma::v1::ImportModelProgress progress;
  const auto report = [&](uint64_t bytes_hashed, uint64_t bytes_total) {
    progress.set_bytes_hashed(bytes_hashed);
    progress.set_bytes_total(bytes_total);
    return writer->Write(progress) && !context->IsCancelled();
  };
  const absl::StatusOr<ModelPtr> model =
      coordinator::ImportModel(plane_, request->path(), request->name(), request->replace(), report);
  if (!model.ok()) return ToGrpc(model.status());
  *progress.mutable_model() = DescribeModel(**model);
  writer->Write(progress);
  return grpc::Status::OK;
}

grpc::Status ClusterService::RemoveModel(grpc::ServerContext* context, const enigma::v1::RemoveModelRequest* request,
                                         enigma::v1::RemoveModelReply*) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  return ToGrpc(coordinator::RemoveModel(plane_, request->name()));
}

grpc::Status ClusterService::Plan(grpc::ServerContext* context, const enigma::v1::PlanRequest* request,
                                  enigma::v1::PlanReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  AwaitMeasurements(plane_, request->options(), [&] { return context->IsCancelled(); });
  const absl::StatusOr<PlannedModel> planned = PlanModel(plane_, request->model(), request->options());
  if (!planned.ok()) return ToGrpc(planned.status());
  *reply = planned->placement.reply;
  return grpc::Status::OK;
}

grpc::Status ClusterService::Load(grpc::ServerContext* context, const enigma::v1::LoadRequest* request,
                                  grpc::ServerWriter<enigma::v1::LoadProgress>* writer) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  enigma::v1::LoadProgress last;
  LoadCall call;
  call.model = request->model();
  call.options = request->options();
  call.another_replica = request->another_replica();
  call.progress = [&](const enigma::v1::LoadProgress& progress) {
    last = progress;
    writer->Write(progress);
  };
  call.cancelled = [&] { return context->IsCancelled(); };
  const absl::StatusOr<LoadedModel> loaded = LoadModel(plane_, call);
  if (!loaded.ok()) return ToGrpc(loaded.status());
  last.set_phase("ready");
  last.set_already_loaded(loaded->was_loaded);
  *last.mutable_replica() = DescribeReplica(plane_, loaded->replica);
  writer->Write(last);
  return grpc::Status::OK;
}

grpc::Status ClusterService::Unload(grpc::ServerContext* context, const enigma::v1::UnloadRequest* request,
                                    enigma::v1::UnloadReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  const absl::StatusOr<uint32_t> replicas = UnloadModel(plane_, request->model());
  if (!replicas.ok()) return ToGrpc(replicas.status());
  reply->set_replicas(*replicas);
  return grpc::Status::OK;
}

grpc::Status ClusterService::CreateToken(grpc::ServerContext* context, const enigma::v1::CreateTokenRequest* request,
                                         enigma::v1::CreateTokenReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  const absl::StatusOr<enigma::v1::CreateTokenReply> made =
      coordinator::CreateToken(plane_, absl::Seconds(request->valid_seconds()));
  if (!made.ok()) return ToGrpc(made.status());
  *reply = *made;
  return grpc::Status::OK;
}

grpc::Status ClusterService::Diagnose(grpc::ServerContext* context, const enigma::v1::DiagnoseRequest*,
                                      enigma::v1::DiagnoseReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  *reply = coordinator::Diagnose(plane_, describe_discovery_);
  return grpc::Status::OK;
}

}  // namespace enigma::coordinator
