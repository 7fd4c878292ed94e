#pragma once

#include <functional>

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// What `enigma doctor` reads. `discovery` adds what is known of interfaces and beacons; may be null.
enigma::v1::DiagnoseReply Diagnose(const ControlPlane& plane,
                                   const std::function<void(enigma::v1::DiagnoseReply&)>& discovery);

}  // namespace enigma::coordinator
