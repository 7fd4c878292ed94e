#pragma once

#include <string_view>

#include <absl/status/status.h>

#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// Forgets a model; its file stays. FAILED_PRECONDITION while it is placed: `enigma unload` first.
absl::Status RemoveModel(ControlPlane& plane, std::string_view name);

}  // namespace enigma::coordinator
