// `enigma models import PATH`: registers a model file with the coordinator.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/cluster/cluster_json.h"
#include "cli/cluster/model_operations.h"
#include "cli/commands/commands.h"
#include "coordinator/operations/absolute_path.h"

namespace enigma::cli {

namespace {

struct ImportFlags {
  ClusterFlags cluster;
  std::string path;
  std::string encoder;
  std::string name;
  bool replace = false;
  bool json = false;
};

absl::Status RunImport(const ImportFlags& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  v1::ImportModelRequest request;
  request.set_path(coordinator::AbsolutePath(flags.path));
  if (!flags.encoder.empty()) request.set_encoder_path(coordinator::AbsolutePath(flags.encoder));
  request.set_name(flags.name);
  request.set_replace(flags.replace);
  ENIGMA_ASSIGN_OR_RETURN(const v1::ModelInfo model, ImportModel(*client, request));
  if (flags.json) {
    PrintJson(ToJson(model));
  } else {
    std::printf("%s: %s, %s parameters, %u layers, %s\n", model.name().c_str(), model.architecture().c_str(),
                FormatCount(model.parameters()).c_str(), model.layers(), FormatBytes(model.bytes()).c_str());
    if (model.has_encoder()) {
      std::printf("  takes pictures: %u x %u pixels to %u rows, %s parameters, %s\n", model.encoder().image_size(),
                  model.encoder().image_size(), model.encoder().rows(),
                  FormatCount(model.encoder().parameters()).c_str(), FormatBytes(model.encoder().bytes()).c_str());
    }
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
  command
      .Text("--encoder", flags->encoder,
            "the image encoder trained with it, a GGUF file likewise; then it takes pictures", "PATH")
      .Utf8();
  command.Text("--name", flags->name, "what to call it (default: the file's name without .gguf)", "NAME").Utf8();
  command.Switch("--replace", flags->replace,
                 "the name may be taken by other content, such as an earlier version of the file, which is forgotten");
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma models import /data/model.gguf --name demo",
                    "enigma models import /data/model.gguf --name demo --replace",
                    "enigma models import vision.gguf --encoder vision-encoder.gguf --name vision"});
  command.Does([flags] { return RunImport(*flags); });
}

}  // namespace enigma::cli
