#pragma once

#include <string>
#include <vector>

#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

struct MeasuredLinks {
  std::vector<std::vector<Link>> links;  // [from][to], as the nodes were given; infinite round trip where none works
  std::vector<std::string> failures;     // a sentence for each of these
};

// Has the nodes measure the links among each other, except those measured lately. No node takes part in two
// measurements of one direction at a time, save between two that have just lost each other.
MeasuredLinks MeasureLinks(ControlPlane& plane, const std::vector<Node>& nodes);

}  // namespace enigma::coordinator
