// `enigma unload MODEL`: takes a model out of service; its weights stay in the nodes' caches.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"

namespace enigma::cli {

namespace {

absl::Status RunUnload(const ClusterFlags& flags, const std::string& model, bool json) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags));
  v1::UnloadRequest request;
  request.set_model(model);
  v1::UnloadReply reply;
  const auto context = QuickCall(absl::Minutes(2));
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->cluster().Unload(context.get(), request, &reply)));
  if (json) {
    PrintJson({{"model", model}, {"replicas", reply.replicas()}});
  } else {
    std::printf("%s: %u replica(s) unloaded\n", model.c_str(), reply.replicas());
  }
  return absl::OkStatus();
}

}  // namespace

void AddUnload(Command& root) {
  Command command = root.Add("unload", "take a model out of service; nodes keep its weights on disk");
  auto flags = std::make_shared<ClusterFlags>();
  auto model = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  flags->AddTo(command);
  command.Text("MODEL", *model, "the model's name, as `enigma models` lists it", "").Required().Utf8();
  command.Switch("--json", *json, "as JSON");
  command.Does([flags, model, json] { return RunUnload(*flags, *model, *json); });
}

}  // namespace enigma::cli
