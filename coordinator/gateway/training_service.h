#pragma once

#include <atomic>
#include <string>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>

#include "coordinator/gateway/access.h"
#include "coordinator/gateway/audit.h"
#include "coordinator/jobs/job_folders.h"
#include "coordinator/jobs/job_keeper.h"
#include "coordinator/jobs/job_registry.h"
#include "coordinator/operations/control_plane.h"
#include "proto/training.grpc.pb.h"

namespace enigma::coordinator {

// enigma.v1.Training, for administrators. As in ClusterService, calls have threads of their own, and what changes
// something is noted in the audit log.
class TrainingService final : public enigma::v1::Training::Service {
 public:
  // All must outlive it.
  TrainingService(ControlPlane& plane, JobRegistry& jobs, JobFolders& folders, JobKeeper& keeper, const Access& access,
                  AuditLog& audit)
      : plane_(plane), jobs_(jobs), folders_(folders), keeper_(keeper), access_(access), audit_(audit) {}

  grpc::Status Submit(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<enigma::v1::SubmitJobProgress, enigma::v1::SubmitJobRequest>* stream) override;
  grpc::Status Estimate(grpc::ServerContext* context, const enigma::v1::EstimateJobRequest* request,
                        enigma::v1::EstimateJobReply* reply) override;
  grpc::Status List(grpc::ServerContext* context, const enigma::v1::ListJobsRequest* request,
                    enigma::v1::ListJobsReply* reply) override;
  grpc::Status Watch(grpc::ServerContext* context, const enigma::v1::WatchJobRequest* request,
                     grpc::ServerWriter<enigma::v1::JobUpdate>* writer) override;
  grpc::Status Cancel(grpc::ServerContext* context, const enigma::v1::CancelJobRequest* request,
                      enigma::v1::CancelJobReply* reply) override;
  grpc::Status Resume(grpc::ServerContext* context, const enigma::v1::ResumeJobRequest* request,
                      enigma::v1::ResumeJobReply* reply) override;
  grpc::Status Remove(grpc::ServerContext* context, const enigma::v1::RemoveJobRequest* request,
                      enigma::v1::RemoveJobReply* reply) override;

 private:
  using SubmitStream = grpc::ServerReaderWriter<enigma::v1::SubmitJobProgress, enigma::v1::SubmitJobRequest>;

  absl::Status Admit(const grpc::ServerContext& context) const;
  absl::Status Take(const grpc::ServerContext& context, SubmitStream& stream, std::string& object);
  uint32_t QueuePlace(const Job& job) const;  // as JobInfo has it

  ControlPlane& plane_;
  JobRegistry& jobs_;
  JobFolders& folders_;
  JobKeeper& keeper_;
  const Access& access_;
  AuditLog& audit_;
  std::atomic<int> submissions_ = 0;
};

}  // namespace enigma::coordinator
