#pragma once

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// A new key for callers of the API; its secret is in the reply and nowhere else. INVALID_ARGUMENT names the field;
// ALREADY_EXISTS when a key that is not revoked has the name.
absl::StatusOr<enigma::v1::CreateKeyReply> CreateKey(ControlPlane& plane, const enigma::v1::CreateKeyRequest& request);

}  // namespace enigma::coordinator
