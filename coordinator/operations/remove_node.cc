#include "coordinator/operations/remove_node.h"

#include "base/status_macros.h"
#include "telemetry/log.h"

namespace enigma::coordinator {

absl::StatusOr<std::string> RemoveNode(ControlPlane& plane, std::string_view name) {
  ENIGMA_ASSIGN_OR_RETURN(const Node node, plane.nodes.Resolve(name));
  ENIGMA_RETURN_IF_ERROR(plane.nodes.Remove(node.id));
  plane.channels.Forget(node.id);
  plane.links.Forget(node.id);
  LogInfo("node {} is removed", node.Label());
  return node.id;
}

}  // namespace enigma::coordinator
