#include "coordinator/operations/list_nodes.h"

#include <map>
#include <string>

namespace enigma::coordinator {

enigma::v1::ListNodesReply ListNodes(const ControlPlane& plane) {
  enigma::v1::ListNodesReply reply;
  reply.set_cluster_id(plane.cluster_id);
  const absl::Duration now = plane.clock.Monotonic();
  std::map<std::string, std::string> stalls;
  for (const Replica& replica : plane.replicas.List()) {
    if (replica.stall) stalls[replica.stall->node_id] = replica.stall->reason;
  }
  for (const Node& node : plane.nodes.List()) {
    auto* info = reply.add_nodes();
    info->set_node_id(node.id);
    info->set_host_name(node.hello.host_name());
    const bool measuring = node.state == NodeState::kReady && !node.measured();
    const bool leaving = node.state == NodeState::kReady && node.leaving;
    info->set_state(leaving ? "leaving" : measuring ? "measuring" : std::string(NodeStateName(node.state)));
    info->set_state_reason(node.state == NodeState::kReady ? stalls[node.id] : node.state_reason);
    info->mutable_endpoints()->Assign(node.endpoints.begin(), node.endpoints.end());
    *info->mutable_capability() = node.hello.capability();
    info->mutable_stages()->Assign(node.stages.begin(), node.stages.end());
    info->set_last_seen_age_ms(node.state == NodeState::kAbsent ? -1 : absl::ToInt64Milliseconds(now - node.last_seen));
    info->set_version(node.hello.version());
    // A node whose beacons are not heard here dialled an address that it was given.
    info->set_found_by(node.found_by.empty() ? "static" : node.found_by);
  }
  return reply;
}

}  // namespace enigma::coordinator
