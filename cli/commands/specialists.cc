// `enigma specialists`: the registry behind the model auto, shown or replaced.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/input/read_text.h"
#include "cli/output/format.h"

namespace enigma::cli {

namespace {

constexpr size_t kRegistryBytesMax = size_t{1} << 20;
constexpr size_t kNodeIdBeginning = 4;  // that may stand for an id, at least

struct SpecialistsFlags {
  ClusterFlags cluster;
  std::string file;  // that takes the registry's place; empty: none
  bool json = false;
};

Json SpecialistsJson(const v1::SpecialistsReply& reply) {
  Json tasks = Json::array();
  for (const v1::SpecialistTask& task : reply.tasks()) {
    tasks.push_back({{"name", task.name()},
                     {"model", task.model()},
                     {"ready", task.ready()},
                     {"intents", std::vector<std::string>(task.intents().begin(), task.intents().end())},
                     {"keywords", task.keywords()},
                     {"nodes", std::vector<std::string>(task.nodes().begin(), task.nodes().end())},
                     {"fallback", std::vector<std::string>(task.fallback().begin(), task.fallback().end())}});
  }
  return {{"in_force", reply.in_force()},
          {"fault", reply.fault().empty() ? Json() : Json(reply.fault())},
          {"file", reply.file().empty() ? Json() : Json(reply.file())},
          {"default", reply.default_task()},
          {"router", reply.router().empty() ? Json() : Json(reply.router())},
          {"router_ready", reply.router_ready()},
          {"tasks", std::move(tasks)}};
}

void PrintSpecialists(const v1::SpecialistsReply& reply) {
  if (!reply.fault().empty()) std::fprintf(stderr, "What was given last is not in force: %s\n", reply.fault().c_str());
  if (!reply.in_force()) {
    std::fputs(
        "No specialists are in force: `enigma specialists --set FILE`, or enigma coordinator --specialists FILE.\n",
        stderr);
    return;
  }
  Table table({"TASK", "MODEL", "IN SERVICE", "INTENTS", "KEYWORDS", "FALLBACK"}, {4});
  for (const v1::SpecialistTask& task : reply.tasks()) {
    const bool is_default = task.name() == reply.default_task();
    table.AddRow({absl::StrCat(task.name(), is_default ? " (default)" : ""), task.model(), task.ready() ? "yes" : "no",
                  absl::StrJoin(task.intents(), ","), absl::StrCat(task.keywords()),
                  absl::StrJoin(task.fallback(), ",")});
  }
  std::fputs(table.Render().c_str(), stdout);
  if (reply.router().empty()) return;
  std::printf("The router is %s, %s.\n", reply.router().c_str(),
              reply.router_ready() ? "in service" : "not in service yet");
}

// What a message calls the text that it is about.
grpc::Status NameFile(const grpc::Status& status, const std::string& file) {
  constexpr std::string_view kText = "body:";
  const std::string& message = status.error_message();
  if (status.ok() || !message.starts_with(kText)) return status;
  return {status.error_code(), absl::StrCat(file == "-" ? "standard input" : file, ":", message.substr(kText.size()))};
}

// As the coordinator resolves it: by id, host name or the beginning of an id.
bool IsNode(const v1::ListNodesReply& nodes, const std::string& name) {
  return std::any_of(nodes.nodes().begin(), nodes.nodes().end(), [&](const v1::NodeInfo& node) {
    return node.node_id() == name || node.host_name() == name ||
           (name.size() >= kNodeIdBeginning && node.node_id().starts_with(name));
  });
}

// A model that may only stand where nobody is cannot be placed, which is no error: the node may still come.
absl::Status WarnOfUnknownNodes(ClusterClient& client, const v1::SpecialistsReply& reply) {
  v1::ListNodesReply nodes;
  ENIGMA_RETURN_IF_ERROR(client.Explain(client.cluster().ListNodes(QuickCall().get(), {}, &nodes)));
  for (const v1::SpecialistTask& task : reply.tasks()) {
    for (const std::string& name : task.nodes()) {
      if (IsNode(nodes, name)) continue;
      std::fprintf(stderr, "warning: tasks.%s.nodes: no node is called '%s'; `enigma nodes` lists those there are\n",
                   task.name().c_str(), name.c_str());
    }
  }
  return absl::OkStatus();
}

absl::Status RunSpecialists(const SpecialistsFlags& flags) {
  v1::ReplaceSpecialistsRequest request;
  if (!flags.file.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(*request.mutable_text(), ReadText(flags.file, kRegistryBytesMax));
  }
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  v1::SpecialistsReply reply;
  const auto context = QuickCall();
  const grpc::Status called = flags.file.empty() ? client->cluster().ShowSpecialists(context.get(), {}, &reply)
                                                 : client->cluster().ReplaceSpecialists(context.get(), request, &reply);
  ENIGMA_RETURN_IF_ERROR(client->Explain(NameFile(called, flags.file)));
  ENIGMA_RETURN_IF_ERROR(WarnOfUnknownNodes(*client, reply));
  if (flags.json) {
    PrintJson(SpecialistsJson(reply));
  } else {
    PrintSpecialists(reply);
  }
  return absl::OkStatus();
}

}  // namespace

void AddSpecialists(Command& root) {
  Command command = root.Add("specialists", "the models behind the name auto: show them, or replace their registry");
  auto flags = std::make_shared<SpecialistsFlags>();
  flags->cluster.AddTo(command);
  command.Text("--set", flags->file,
               "put the registry in this file of YAML in force, and write the coordinator's own file; - reads standard "
               "input",
               "PATH");
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma specialists", "enigma specialists --set specialists.yaml"});
  command.Does([flags] { return RunSpecialists(*flags); });
}

}  // namespace enigma::cli
