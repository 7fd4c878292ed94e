#pragma once

#include <optional>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// The replica of the model in service that is what `options` ask for; empty when there is none at all.
// FAILED_PRECONDITION, with what to do, when the model is in service otherwise, or is just being placed.
absl::StatusOr<std::optional<Replica>> FindLoaded(ControlPlane& plane, const ModelPtr& model,
                                                  const enigma::v1::PlanOptions& options);

}  // namespace enigma::coordinator
