#pragma once

#include <functional>
#include <string>
#include <utility>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include "coordinator/gateway/access.h"
#include "coordinator/gateway/audit.h"
#include "coordinator/gateway/specialists_office.h"
#include "coordinator/operations/control_plane.h"
#include "proto/cluster.grpc.pb.h"

namespace enigma::coordinator {

// enigma.v1.Cluster: each call checks who asks and runs one operation; those that change something are noted in the
// audit log, also when they fail. Calls may take long (importing, loading), so
// they run on threads of their own (gRPC's synchronous server), of which an administrator needs few.
class ClusterService final : public enigma::v1::Cluster::Service {
 public:
  using DescribeDiscovery = std::function<void(enigma::v1::DiagnoseReply&)>;
  // All but the last must outlive it.
  ClusterService(ControlPlane& plane, const Access& access, AuditLog& audit, SpecialistsOffice& specialists,
                 DescribeDiscovery describe_discovery)
      : plane_(plane),
        access_(access),
        audit_(audit),
        specialists_(specialists),
        describe_discovery_(std::move(describe_discovery)) {}

  grpc::Status ListNodes(grpc::ServerContext* context, const enigma::v1::ListNodesRequest* request,
                         enigma::v1::ListNodesReply* reply) override;
  grpc::Status RemoveNode(grpc::ServerContext* context, const enigma::v1::RemoveNodeRequest* request,
                          enigma::v1::RemoveNodeReply* reply) override;
  grpc::Status ListModels(grpc::ServerContext* context, const enigma::v1::ListClusterModelsRequest* request,
                          enigma::v1::ListClusterModelsReply* reply) override;
  grpc::Status ImportModel(grpc::ServerContext* context, const enigma::v1::ImportModelRequest* request,
                           grpc::ServerWriter<enigma::v1::ImportModelProgress>* writer) override;
  grpc::Status RemoveModel(grpc::ServerContext* context, const enigma::v1::RemoveModelRequest* request,
                           enigma::v1::RemoveModelReply* reply) override;
  grpc::Status ExportModel(grpc::ServerContext* context, const enigma::v1::ExportModelRequest* request,
                           grpc::ServerWriter<enigma::v1::ExportModelChunk>* writer) override;
  grpc::Status Plan(grpc::ServerContext* context, const enigma::v1::PlanRequest* request,
                    enigma::v1::PlanReply* reply) override;
  grpc::Status Load(grpc::ServerContext* context, const enigma::v1::LoadRequest* request,
                    grpc::ServerWriter<enigma::v1::LoadProgress>* writer) override;
  grpc::Status Unload(grpc::ServerContext* context, const enigma::v1::UnloadRequest* request,
                      enigma::v1::UnloadReply* reply) override;
  grpc::Status CreateToken(grpc::ServerContext* context, const enigma::v1::CreateTokenRequest* request,
                           enigma::v1::CreateTokenReply* reply) override;
  grpc::Status CreateKey(grpc::ServerContext* context, const enigma::v1::CreateKeyRequest* request,
                         enigma::v1::CreateKeyReply* reply) override;
  grpc::Status ListKeys(grpc::ServerContext* context, const enigma::v1::ListKeysRequest* request,
                        enigma::v1::ListKeysReply* reply) override;
  grpc::Status RevokeKey(grpc::ServerContext* context, const enigma::v1::RevokeKeyRequest* request,
                         enigma::v1::RevokeKeyReply* reply) override;
  grpc::Status Diagnose(grpc::ServerContext* context, const enigma::v1::DiagnoseRequest* request,
                        enigma::v1::DiagnoseReply* reply) override;
  grpc::Status ShowSpecialists(grpc::ServerContext* context, const enigma::v1::ShowSpecialistsRequest* request,
                               enigma::v1::SpecialistsReply* reply) override;
  grpc::Status ReplaceSpecialists(grpc::ServerContext* context, const enigma::v1::ReplaceSpecialistsRequest* request,
                                  enigma::v1::SpecialistsReply* reply) override;

 private:
  absl::Status Admit(const grpc::ServerContext& context) const;
  // Runs an act for who may administer, and notes it and how it ended. `object` may become more exact by the work.
  grpc::Status Act(const grpc::ServerContext& context, const char* act, std::string object,
                   absl::FunctionRef<absl::Status(std::string& object)> work) const;

  ControlPlane& plane_;
  const Access& access_;
  AuditLog& audit_;
  SpecialistsOffice& specialists_;
  const DescribeDiscovery describe_discovery_;
};

}  // namespace enigma::coordinator
