#pragma once

#include <cstdint>
#include <string_view>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// Takes every replica of the model out of service, also those being loaded; requests in flight end. How many replicas
// there were. FAILED_PRECONDITION when the model is not placed. One that there is none of any more is only not wanted
// any longer.
absl::StatusOr<uint32_t> UnloadModel(ControlPlane& plane, std::string_view name);

}  // namespace enigma::coordinator
