#pragma once

#include "coordinator/gateway/access.h"
#include "coordinator/operations/control_plane.h"
#include "proto/worker.grpc.pb.h"

namespace enigma::coordinator {

// enigma.v1.Content: pieces of the imported models, cut out of their files as they are asked for.
class ContentService final : public enigma::v1::Content::Service {
 public:
  ContentService(ControlPlane& plane, const Access& access) : plane_(plane), access_(access) {}

  grpc::Status Fetch(grpc::ServerContext* context, const enigma::v1::FetchRequest* request,
                     grpc::ServerWriter<enigma::v1::FetchChunk>* writer) override;
  grpc::Status Has(grpc::ServerContext* context, const enigma::v1::HasRequest* request,
                   enigma::v1::HasReply* reply) override;

 private:
  absl::Status Send(grpc::ServerContext& context, const enigma::v1::FetchRequest& request,
                    grpc::ServerWriter<enigma::v1::FetchChunk>& writer);

  ControlPlane& plane_;
  const Access& access_;
};

}  // namespace enigma::coordinator
