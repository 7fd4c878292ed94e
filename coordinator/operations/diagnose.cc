#include "coordinator/operations/diagnose.h"

namespace enigma::coordinator {

enigma::v1::DiagnoseReply Diagnose(const ControlPlane& plane,
                                   const std::function<void(enigma::v1::DiagnoseReply&)>& discovery) {
  enigma::v1::DiagnoseReply reply;
  reply.set_version(plane.version);
  reply.set_cluster_id(plane.cluster_id);
  reply.set_server_time_unix_ms(absl::ToUnixMillis(plane.clock.Now()));
  uint32_t ready = 0;
  for (const Node& node : plane.nodes.List()) ready += node.state == NodeState::kReady ? 1 : 0;
  reply.set_nodes_ready(ready);
  if (discovery) discovery(reply);
  return reply;
}

}  // namespace enigma::coordinator
