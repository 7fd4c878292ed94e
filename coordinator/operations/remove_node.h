#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// Forgets a node, named as NodeRegistry::Resolve takes it, and revokes its certificate: to come back it needs a new
// token. Its id. FAILED_PRECONDITION while it is attached.
absl::StatusOr<std::string> RemoveNode(ControlPlane& plane, std::string_view name);

}  // namespace enigma::coordinator
