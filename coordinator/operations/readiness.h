#pragma once

#include <string>
#include <vector>

#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// Whether a request would be served right now, and of what. Names of models, each at most once in a list.
struct Readiness {
  bool ready = false;               // of a model in service, or, by specialists, of one that is loaded when it is asked
  std::string status;               // "ready", or a few words why not
  std::vector<std::string> models;  // with a replica in service that makes progress, or has nothing to do
  std::vector<std::string> loading;  // none of the above, but on their way
  std::vector<std::string> stalls;   // sentences: which replica in service makes no progress
};
// `specialists`: a registry of them is in force, so that nodes that are ready are enough.
Readiness ReadinessOf(const ControlPlane& plane, bool specialists);

}  // namespace enigma::coordinator
