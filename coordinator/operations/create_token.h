#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// A new join token; only its verifier is kept. `valid` zero: a day; at most a year. FAILED_PRECONDITION with
// --insecure, where nobody needs one.
absl::StatusOr<enigma::v1::CreateTokenReply> CreateToken(ControlPlane& plane, absl::Duration valid);

}  // namespace enigma::coordinator
