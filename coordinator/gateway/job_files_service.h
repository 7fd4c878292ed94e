#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "coordinator/gateway/access.h"
#include "coordinator/jobs/job_folders.h"
#include "coordinator/jobs/job_registry.h"
#include "coordinator/operations/control_plane.h"
#include "proto/rank.grpc.pb.h"

namespace enigma::coordinator {

// enigma.v1.JobFiles, for the workers of this cluster: what a rank needs, and what it made. Calls have threads of their
// own.
class JobFilesService final : public enigma::v1::JobFiles::Service {
 public:
  // All must outlive it.
  JobFilesService(ControlPlane& plane, JobRegistry& jobs, JobFolders& folders, const Access& access)
      : plane_(plane), jobs_(jobs), folders_(folders), access_(access) {}

  grpc::Status Fetch(grpc::ServerContext* context, const enigma::v1::FetchJobFileRequest* request,
                     grpc::ServerWriter<enigma::v1::FileChunk>* writer) override;
  grpc::Status Store(grpc::ServerContext* context, grpc::ServerReader<enigma::v1::StoreJobFileRequest>* reader,
                     enigma::v1::StoreJobFileReply* reply) override;

 private:
  using Reader = grpc::ServerReader<enigma::v1::StoreJobFileRequest>;
  using Head = enigma::v1::StoreJobFileRequest::Head;

  absl::StatusOr<Peer> Admit(const grpc::ServerContext& context) const;
  absl::Status Send(grpc::ServerContext& context, const enigma::v1::FetchJobFileRequest& request,
                    grpc::ServerWriter<enigma::v1::FileChunk>& writer);
  absl::Status Take(const Peer& peer, Reader& reader);
  absl::Status TakeCheckpoint(const Job& job, const enigma::v1::StoreJobFileRequest& first, Reader& reader);
  absl::Status TakeExport(const Job& job, const enigma::v1::StoreJobFileRequest& first, Reader& reader);

  ControlPlane& plane_;
  JobRegistry& jobs_;
  JobFolders& folders_;
  const Access& access_;
};

}  // namespace enigma::coordinator
