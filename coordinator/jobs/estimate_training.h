#pragma once

#include <set>
#include <string>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "proto/training.pb.h"

namespace enigma::coordinator {

// What such a job may be expected to take on the cluster as it is; nothing is begun. `taken`: nodes that other jobs
// have, which count only where they have all. Has links measured where that was not done lately. INVALID_ARGUMENT and
// NOT_FOUND as for a job that is submitted.
absl::StatusOr<enigma::v1::EstimateJobReply> EstimateTraining(ControlPlane& plane,
                                                              const enigma::v1::EstimateJobRequest& request,
                                                              const std::set<std::string>& taken);

}  // namespace enigma::coordinator
