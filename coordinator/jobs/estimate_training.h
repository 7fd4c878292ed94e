#pragma once

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "proto/training.pb.h"

namespace enigma::coordinator {

// What such a job may be expected to take on the cluster as it is; nothing is begun. Has links measured
// where that was not done lately. INVALID_ARGUMENT and NOT_FOUND as for a job that is
// submitted.
absl::StatusOr<enigma::v1::EstimateJobReply> EstimateTraining(ControlPlane& plane,
                                                              const enigma::v1::EstimateJobRequest& request);

}  // namespace enigma::coordinator
