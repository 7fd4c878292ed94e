#pragma once

#include <string_view>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// From when it returns, the key opens nothing; requests that run go on. NOT_FOUND when no key has the id, and none that
// is not revoked has the name.
absl::StatusOr<enigma::v1::RevokeKeyReply> RevokeKey(ControlPlane& plane, std::string_view id_or_name);

}  // namespace enigma::coordinator
