#pragma once

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

enigma::v1::KeyInfo DescribeKey(const ControlPlane& plane, const ApiKeyRegistry::Listed& listed);

// Every key, also those that are revoked or expired; oldest first.
enigma::v1::ListKeysReply ListKeys(const ControlPlane& plane);

}  // namespace enigma::coordinator
