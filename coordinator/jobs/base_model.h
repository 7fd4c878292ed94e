#pragma once

#include <absl/status/statusor.h>

#include "coordinator/jobs/job.h"
#include "coordinator/state/model_registry.h"

namespace enigma::coordinator {

// The model that a job starts from; null where it starts from nothing. NOT_FOUND where it is not registered any more,
// FAILED_PRECONDITION where it has other content than when the job was submitted. While the job has not ended nobody
// can do that to it (JobRegistry::CheckModelChange); after that, they may, and the job may be resumed.
absl::StatusOr<ModelPtr> BaseOfJob(const ModelRegistry& models, const Job& job);

}  // namespace enigma::coordinator
