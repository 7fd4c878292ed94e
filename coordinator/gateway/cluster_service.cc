#include "coordinator/gateway/cluster_service.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include "base/status_macros.h"
#include "coordinator/gateway/audited_act.h"
#include "coordinator/operations/await_measurements.h"
#include "coordinator/operations/create_key.h"
#include "coordinator/operations/create_token.h"
#include "coordinator/operations/diagnose.h"
#include "coordinator/operations/export_model.h"
#include "coordinator/operations/import_model.h"
#include "coordinator/operations/list_keys.h"
#include "coordinator/operations/list_models.h"
#include "coordinator/operations/list_nodes.h"
#include "coordinator/operations/load_model.h"
#include "coordinator/operations/plan_model.h"
#include "coordinator/operations/remove_model.h"
#include "coordinator/operations/remove_node.h"
#include "coordinator/operations/revoke_key.h"
#include "coordinator/operations/unload_model.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {
namespace {

std::string NameOfKey(const enigma::v1::KeyInfo& key) { return absl::StrCat(key.key_id(), " (", key.name(), ")"); }

}  // namespace

absl::Status ClusterService::Admit(const grpc::ServerContext& context) const {
  return access_.ForAdministration(context, context.peer()).status();
}

grpc::Status ClusterService::Act(const grpc::ServerContext& context, const char* act, std::string object,
                                 absl::FunctionRef<absl::Status(std::string& object)> work) const {
  return RunAudited(access_, audit_, context, act, std::move(object), work);
}

grpc::Status ClusterService::ListNodes(grpc::ServerContext* context, const enigma::v1::ListNodesRequest*,
                                       enigma::v1::ListNodesReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  *reply = coordinator::ListNodes(plane_);
  return grpc::Status::OK;
}

grpc::Status ClusterService::RemoveNode(grpc::ServerContext* context, const enigma::v1::RemoveNodeRequest* request,
                                        enigma::v1::RemoveNodeReply* reply) {
  return Act(*context, "nodes.rm", request->node(), [&](std::string& object) -> absl::Status {
    ENIGMA_ASSIGN_OR_RETURN(object, coordinator::RemoveNode(plane_, request->node()));
    reply->set_node_id(object);
    return absl::OkStatus();
  });
}

grpc::Status ClusterService::ListModels(grpc::ServerContext* context, const enigma::v1::ListClusterModelsRequest*,
                                        enigma::v1::ListClusterModelsReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  *reply = coordinator::ListModels(plane_);
  return grpc::Status::OK;
}

grpc::Status ClusterService::ImportModel(grpc::ServerContext* context, const enigma::v1::ImportModelRequest* request,
                                         grpc::ServerWriter<enigma::v1::ImportModelProgress>* writer) {
  const std::string object =
      request->name().empty() ? request->path() : absl::StrCat(request->name(), " from ", request->path());
  return Act(*context, "models.import", object, [&](std::string& imported) -> absl::Status {
    enigma::v1::ImportModelProgress progress;
    const auto report = [&](uint64_t bytes_hashed, uint64_t bytes_total) {
      progress.set_bytes_hashed(bytes_hashed);
      progress.set_bytes_total(bytes_total);
      return writer->Write(progress) && !context->IsCancelled();
    };
    const ModelImport import{.path = request->path(),
                             .encoder = request->encoder_path(),
                             .name = request->name(),
                             .replace = request->replace()};
    ENIGMA_ASSIGN_OR_RETURN(const ModelPtr model, coordinator::ImportModel(plane_, import, report));
    imported = absl::StrCat(model->name, " from ", request->path());
    *progress.mutable_model() = DescribeModel(*model);
    writer->Write(progress);
    return absl::OkStatus();
  });
}

grpc::Status ClusterService::RemoveModel(grpc::ServerContext* context, const enigma::v1::RemoveModelRequest* request,
                                         enigma::v1::RemoveModelReply*) {
  return Act(*context, "models.rm", request->name(),
             [&](std::string&) { return coordinator::RemoveModel(plane_, request->name()); });
}

grpc::Status ClusterService::ExportModel(grpc::ServerContext* context, const enigma::v1::ExportModelRequest* request,
                                         grpc::ServerWriter<enigma::v1::ExportModelChunk>* writer) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  const auto send = [&](const enigma::v1::ExportModelChunk& chunk) {
    return !context->IsCancelled() && writer->Write(chunk);
  };
  return ToGrpc(coordinator::ExportModel(plane_, request->name(), request->encoder(), send));
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
  return Act(*context, "load", request->model(), [&](std::string& object) -> absl::Status {
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
    ENIGMA_ASSIGN_OR_RETURN(const LoadedModel loaded, LoadModel(plane_, call));
    absl::StrAppend(&object, " as replica ", loaded.replica.id, loaded.was_loaded ? ", which was there" : "");
    last.set_phase("ready");
    last.set_already_loaded(loaded.was_loaded);
    *last.mutable_replica() = DescribeReplica(plane_, loaded.replica);
    writer->Write(last);
    return absl::OkStatus();
  });
}

grpc::Status ClusterService::Unload(grpc::ServerContext* context, const enigma::v1::UnloadRequest* request,
                                    enigma::v1::UnloadReply* reply) {
  return Act(*context, "unload", request->model(), [&](std::string&) -> absl::Status {
    ENIGMA_ASSIGN_OR_RETURN(const uint32_t replicas, UnloadModel(plane_, request->model()));
    reply->set_replicas(replicas);
    return absl::OkStatus();
  });
}

grpc::Status ClusterService::CreateToken(grpc::ServerContext* context, const enigma::v1::CreateTokenRequest* request,
                                         enigma::v1::CreateTokenReply* reply) {
  return Act(*context, "token.create", "", [&](std::string& object) -> absl::Status {
    ENIGMA_ASSIGN_OR_RETURN(*reply, coordinator::CreateToken(plane_, absl::Seconds(request->valid_seconds())));
    const absl::Time expires = absl::FromUnixMillis(reply->expires_unix_ms());
    object = absl::StrCat("valid until ", absl::FormatTime(absl::RFC3339_sec, expires, absl::UTCTimeZone()));
    return absl::OkStatus();
  });
}

grpc::Status ClusterService::CreateKey(grpc::ServerContext* context, const enigma::v1::CreateKeyRequest* request,
                                       enigma::v1::CreateKeyReply* reply) {
  return Act(*context, "keys.create", request->name(), [&](std::string& object) -> absl::Status {
    ENIGMA_ASSIGN_OR_RETURN(*reply, coordinator::CreateKey(plane_, *request));
    object = NameOfKey(reply->key());
    return absl::OkStatus();
  });
}

grpc::Status ClusterService::ListKeys(grpc::ServerContext* context, const enigma::v1::ListKeysRequest*,
                                      enigma::v1::ListKeysReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  *reply = coordinator::ListKeys(plane_);
  return grpc::Status::OK;
}

grpc::Status ClusterService::RevokeKey(grpc::ServerContext* context, const enigma::v1::RevokeKeyRequest* request,
                                       enigma::v1::RevokeKeyReply* reply) {
  return Act(*context, "keys.revoke", request->key(), [&](std::string& object) -> absl::Status {
    ENIGMA_ASSIGN_OR_RETURN(*reply, coordinator::RevokeKey(plane_, request->key()));
    object = NameOfKey(reply->key());
    return absl::OkStatus();
  });
}

grpc::Status ClusterService::Diagnose(grpc::ServerContext* context, const enigma::v1::DiagnoseRequest*,
                                      enigma::v1::DiagnoseReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  *reply = coordinator::Diagnose(plane_, describe_discovery_);
  return grpc::Status::OK;
}

grpc::Status ClusterService::ShowSpecialists(grpc::ServerContext* context, const enigma::v1::ShowSpecialistsRequest*,
                                             enigma::v1::SpecialistsReply* reply) {
  if (const absl::Status admitted = Admit(*context); !admitted.ok()) return ToGrpc(admitted);
  *reply = specialists_.Describe();
  return grpc::Status::OK;
}

grpc::Status ClusterService::ReplaceSpecialists(grpc::ServerContext* context,
                                                const enigma::v1::ReplaceSpecialistsRequest* request,
                                                enigma::v1::SpecialistsReply* reply) {
  return Act(*context, "specialists.replace", specialists_.path(), [&](std::string&) -> absl::Status {
    ENIGMA_RETURN_IF_ERROR(specialists_.Replace(request->text()));
    *reply = specialists_.Describe();
    return absl::OkStatus();
  });
}

}  // namespace enigma::coordinator
