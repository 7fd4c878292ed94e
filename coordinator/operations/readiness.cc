#include "coordinator/operations/readiness.h"

#include <algorithm>

namespace enigma::coordinator {
namespace {

bool AnyNodeReady(const ControlPlane& plane) {
  const std::vector<Node> nodes = plane.nodes.List();
  return std::any_of(nodes.begin(), nodes.end(),
                     [](const Node& node) { return node.state == NodeState::kReady && !node.leaving; });
}

}  // namespace

Readiness ReadinessOf(const ControlPlane& plane, bool specialists) {
  Readiness readiness;
  for (const ModelPtr& model : plane.models.List()) {
    bool serves = false;
    bool loads = false;
    for (const Replica& replica : plane.replicas.OfModel(model->name)) {
      serves = serves || replica.serves();
      loads = loads || replica.state == ReplicaState::kLoading;
      if (replica.stall) readiness.stalls.push_back(replica.stall->reason);
    }
    if (serves) {
      readiness.models.push_back(model->name);
    } else if (loads) {
      readiness.loading.push_back(model->name);
    }
  }
  if (!plane.intake.open()) {
    readiness.status = "draining";
  } else if (!readiness.models.empty() || (specialists && readiness.stalls.empty() && AnyNodeReady(plane))) {
    readiness.ready = true;
    readiness.status = "ready";
  } else {
    readiness.status = readiness.stalls.empty() ? "no model is in service" : "no model makes progress";
  }
  return readiness;
}

}  // namespace enigma::coordinator
