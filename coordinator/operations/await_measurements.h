#pragma once

#include <functional>

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// Nodes attend before they know their own speed. Waits until those which `options` allow have told it, which takes
// seconds at most, so that a plan made right after a start reckons with all of them. Gives up after a while, or when
// `cancelled` (may be null) says so: the plan then says which node it had to leave out.
void AwaitMeasurements(const ControlPlane& plane, const enigma::v1::PlanOptions& options,
                       const std::function<bool()>& cancelled);

}  // namespace enigma::coordinator
