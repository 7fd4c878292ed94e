// `enigma models`: what can be served; its sub-commands are in files of their own.
#include <cstdio>
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/cluster/cluster_json.h"
#include "cli/commands/commands.h"

namespace enigma::cli {

namespace {

std::string ServiceOf(const v1::ModelInfo& model) {
  if (model.replicas().empty()) return "not loaded";
  std::string text;
  for (const auto& replica : model.replicas()) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", replica.state(), replica.stages().empty() ? "" : " on");
    for (const auto& stage : replica.stages()) {
      absl::StrAppend(&text, " ", stage.host_name(), "/", stage.node_id().substr(0, 8), "[", LayersText(stage), "]");
    }
    if (replica.has_encoder()) {
      const v1::StagePlacement& encoder = replica.encoder();
      absl::StrAppend(&text, " ", encoder.host_name(), "/", encoder.node_id().substr(0, 8), "[encoder]");
    }
    if (!replica.failure().empty()) absl::StrAppend(&text, " (", replica.failure(), ")");
    if (!replica.stall().empty()) absl::StrAppend(&text, " (stalled: ", replica.stall(), ")");
  }
  return text;
}

absl::Status RunModels(const ClusterFlags& flags, bool json) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags));
  v1::ListClusterModelsReply reply;
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->cluster().ListModels(QuickCall().get(), {}, &reply)));
  if (json) {
    Json models = Json::array();
    for (const auto& model : reply.models()) models.push_back(ToJson(model));
    PrintJson({{"models", std::move(models)}});
    return absl::OkStatus();
  }
  Table table({"MODEL", "FAMILY", "TYPE", "PARAMETERS", "SIZE", "LAYERS", "SERVICE"}, {3, 4, 5});
  for (const auto& model : reply.models()) {
    // A model that takes pictures is two files.
    const std::string family = absl::StrCat(model.architecture(), model.has_encoder() ? " + vision" : "");
    table.AddRow(
        {model.name(), family, model.quantisation(), FormatCount(model.parameters() + model.encoder().parameters()),
         FormatBytes(model.bytes() + model.encoder().bytes()), absl::StrCat(model.layers()), ServiceOf(model)});
  }
  std::fputs(table.Render().c_str(), stdout);
  if (reply.models().empty())
    std::fputs("No model is registered. `enigma models import FILE.gguf` adds one.\n", stderr);
  return absl::OkStatus();
}

}  // namespace

void AddModels(Command& root) {
  Command models = root.Add("models", "models of the cluster; import, export, inspect, quantize, synth, rm");
  Command list = models.Add("list", "the same as `enigma models` alone");
  for (Command* command : {&models, &list}) {
    auto flags = std::make_shared<ClusterFlags>();
    auto json = std::make_shared<bool>(false);
    flags->AddTo(*command);
    command->Switch("--json", *json, "as JSON");
    command->Does([flags, json] { return RunModels(*flags, *json); });
  }
  AddModelsImport(models);
  AddModelsExport(models);
  AddModelsInspect(models);
  AddModelsQuantize(models);
  AddModelsSynth(models);
  AddModelsRemove(models);
}

}  // namespace enigma::cli
