#pragma once

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

enigma::v1::ListNodesReply ListNodes(const ControlPlane& plane);

}  // namespace enigma::coordinator
