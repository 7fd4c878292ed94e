// `enigma models rm NAME`: forgets a model; the file stays where it is.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"

namespace enigma::cli {

namespace {

absl::Status RunModelsRemove(const ClusterFlags& flags, const std::string& name, bool json) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags));
  v1::RemoveModelRequest request;
  request.set_name(name);
  v1::RemoveModelReply reply;
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->cluster().RemoveModel(QuickCall().get(), request, &reply)));
  if (json) {
    PrintJson({{"model", name}, {"removed", true}});
  } else {
    std::printf("%s is no longer registered\n", name.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddModelsRemove(Command& models) {
  Command command = models.Add("rm", "forget a model; its file stays where it is");
  auto flags = std::make_shared<ClusterFlags>();
  auto name = std::make_shared<std::string>();
  flags->AddTo(command);
  auto json = std::make_shared<bool>(false);
  command.Text("MODEL", *name, "the model's name, as `enigma models` lists it", "").Required().Utf8();
  command.Switch("--json", *json, "as JSON");
  command.Does([flags, name, json] { return RunModelsRemove(*flags, *name, *json); });
}

}  // namespace enigma::cli
