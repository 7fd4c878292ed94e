// `enigma nodes rm NODE`: forgets a machine that will not come back, and revokes its certificate.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"

namespace enigma::cli {

namespace {

absl::Status RunNodesRemove(const ClusterFlags& flags, const std::string& node, bool json) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags));
  v1::RemoveNodeRequest request;
  request.set_node(node);
  v1::RemoveNodeReply reply;
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->cluster().RemoveNode(QuickCall().get(), request, &reply)));
  if (json) {
    PrintJson({{"node_id", reply.node_id()}, {"removed", true}});
  } else {
    std::printf("node %s is removed; to come back it needs a new token\n", reply.node_id().c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddNodesRemove(Command& nodes) {
  Command command = nodes.Add("rm", "forget a machine that will not come back, and revoke its certificate");
  auto flags = std::make_shared<ClusterFlags>();
  auto node = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  flags->AddTo(command);
  command
      .Text("NODE", *node,
            "its id, the beginning of it (four or more characters), or its host name, as `enigma nodes` lists them", "")
      .Required()
      .Utf8();
  command.Switch("--json", *json, "as JSON");
  command.Does([flags, node, json] { return RunNodesRemove(*flags, *node, *json); });
}

}  // namespace enigma::cli
