#pragma once

#include <string_view>

#include <absl/status/status.h>

#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// FAILED_PRECONDITION when a replica of the model is in service, or wanted so; the error says what to do first.
absl::Status CheckNotPlaced(const ControlPlane& plane, std::string_view name);

// Forgets a model; its file stays. FAILED_PRECONDITION while it is placed, or a job needs it.
absl::Status RemoveModel(ControlPlane& plane, std::string_view name);

}  // namespace enigma::coordinator
