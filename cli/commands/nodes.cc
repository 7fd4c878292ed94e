// `enigma nodes`: which machines are here, and what they can do.
#include <cstdio>
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/cluster/cluster_json.h"
#include "cli/commands/commands.h"

namespace enigma::cli {

namespace {

std::string StagesOf(const v1::NodeInfo& node) {
  std::string text;
  for (const auto& stage : node.stages()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", stage.model(), " ", LayersText(stage));
  }
  return text.empty() ? "-" : text;
}

absl::Status RunNodes(const ClusterFlags& flags, bool json) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags));
  v1::ListNodesReply reply;
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->cluster().ListNodes(QuickCall().get(), {}, &reply)));
  if (json) {
    Json nodes = Json::array();
    for (const auto& node : reply.nodes()) nodes.push_back(ToJson(node));
    PrintJson({{"cluster_id", reply.cluster_id()}, {"nodes", std::move(nodes)}});
    return absl::OkStatus();
  }
  Table table({"NODE", "HOST", "STATE", "ADDRESS", "MEMORY FREE", "DECODE", "PREFILL", "THREADS", "STAGES"},
              {4, 5, 6, 7});
  for (const auto& node : reply.nodes()) {
    const auto& capability = node.capability();
    const bool measured = capability.memory_bytes_per_second() > 0;
    table.AddRow(
        {node.node_id().substr(0, 8), node.host_name(),
         node.state_reason().empty() ? node.state() : absl::StrCat(node.state(), " (", node.state_reason(), ")"),
         node.endpoints_size() > 0 ? node.endpoints(0) : "-", FormatBytes(capability.memory_free_bytes()),
         measured ? FormatBytes(static_cast<uint64_t>(capability.memory_bytes_per_second())) + "/s" : "-",
         measured ? FormatDecimal(capability.flops_per_second() / 1e9, 1) + " GFLOP/s" : "-",
         absl::StrCat(capability.threads()), StagesOf(node)});
  }
  std::fputs(table.Render().c_str(), stdout);
  if (reply.nodes().empty()) {
    std::fputs("No worker has joined. `enigma token create` prints the command that adds one.\n", stderr);
  }
  return absl::OkStatus();
}

}  // namespace

void AddNodes(Command& root) {
  Command command = root.Add("nodes", "the machines of the cluster and what each can do; rm");
  auto flags = std::make_shared<ClusterFlags>();
  auto json = std::make_shared<bool>(false);
  flags->AddTo(command);
  command.Switch("--json", *json, "as JSON");
  command.Does([flags, json] { return RunNodes(*flags, *json); });
  AddNodesRemove(command);
}

}  // namespace enigma::cli
