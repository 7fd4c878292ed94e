// `enigma models import PATH`: registers a model file with the coordinator.
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/cluster/cluster_json.h"
#include "cli/cluster/model_operations.h"
#include "cli/commands/commands.h"

namespace enigma::cli {

namespace {

struct ImportFlags {
  ClusterFlags cluster;
  std::string path;
  std::string name;
  bool replace = false;
  bool json = false;
};

absl::Status RunImport(const ImportFlags& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  ENIGMA_ASSIGN_OR_RETURN(const v1::ModelInfo model, ImportModel(*client, flags.path, flags.name, flags.replace));
  if (flags.json) {
    PrintJson(ToJson(model));
  } else {
    std::printf("%s: %s, %s parameters, %u layers, %s\n", model.name().c_str(), model.architecture().c_str(),
                FormatCount(model.parameters()).c_str(), model.layers(), FormatBytes(model.bytes()).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddModelsImport(Command& models) {
  Command command = models.Add("import", "register a GGUF file that lies on the coordinator's disk");
  auto flags = std::make_shared<ImportFlags>();
  flags->cluster.AddTo(command);
  command
      .Text("PATH", flags->path, "GGUF file, read by the coordinator on its own disk; a relative path starts from here",
            "")
      .Required()
      .Utf8();
  command.Text("--name", flags->name, "what to call it (default: the file's name without .gguf)", "NAME").Utf8();
  command.Switch("--replace", flags->replace,
                 "the name may be taken by other content, such as an earlier version of the file, which is forgotten");
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma models import /data/model.gguf --name demo",
                    "enigma models import /data/model.gguf --name demo --replace"});
  command.Does([flags] { return RunImport(*flags); });
}

}  // namespace enigma::cli
