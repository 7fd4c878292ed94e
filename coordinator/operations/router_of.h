#pragma once

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "engine/spec/router_spec.h"

namespace enigma::coordinator {

// The router that a model is. INVALID_ARGUMENT for one that is none, FAILED_PRECONDITION when its file is away.
absl::StatusOr<engine::RouterSpec> RouterOf(ControlPlane& plane, const Model& model);

}  // namespace enigma::coordinator
