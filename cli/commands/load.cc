// `enigma load MODEL`: places a model and brings it into service.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/cluster/cluster_json.h"
#include "cli/cluster/model_operations.h"
#include "cli/cluster/plan_flags.h"
#include "cli/commands/commands.h"

namespace enigma::cli {

namespace {

struct LoadCommand {
  explicit LoadCommand(Command& command) : options(command) { cluster.AddTo(command); }
  ClusterFlags cluster;
  PlanFlags options;
  std::string model;
  bool another_replica = false;
  bool json = false;
};

std::string PlacementText(const v1::ReplicaInfo& replica) {
  return StageTable(replica.stages()) + (replica.has_encoder() ? EncoderLine(replica.encoder()) : "");
}

absl::Status RunLoad(const LoadCommand& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  v1::LoadRequest request;
  request.set_model(flags.model);
  *request.mutable_options() = flags.options.Resolve();
  request.set_another_replica(flags.another_replica);
  ENIGMA_ASSIGN_OR_RETURN(const v1::LoadProgress loaded, LoadModel(*client, request));
  if (flags.json) {
    PrintJson({{"model", flags.model},
               {"bytes_needed", loaded.bytes_needed()},
               {"bytes_present", loaded.bytes_present()},
               {"bytes_fetched", loaded.bytes_fetched()},
               {"already_loaded", loaded.already_loaded()},
               {"replica", ToJson(loaded.replica())}});
    return absl::OkStatus();
  }
  if (loaded.already_loaded()) {
    std::printf("%s is already loaded as replica %llu; nothing was changed\n%s", flags.model.c_str(),
                static_cast<unsigned long long>(loaded.replica().replica()), PlacementText(loaded.replica()).c_str());
    return absl::OkStatus();
  }
  std::printf("%s is ready: %s of weights were on the nodes, %s were fetched\n%s", flags.model.c_str(),
              FormatBytes(loaded.bytes_present()).c_str(), FormatBytes(loaded.bytes_fetched()).c_str(),
              PlacementText(loaded.replica()).c_str());
  return absl::OkStatus();
}

}  // namespace

void AddLoad(Command& root) {
  Command command = root.Add("load", "place a model on the nodes and bring it into service");
  auto flags = std::make_shared<LoadCommand>(command);
  command.Text("MODEL", flags->model, "the model's name, as `enigma models` lists it", "").Required().Utf8();
  command.Switch("--another-replica", flags->another_replica, "one more copy beside what is in service");
  command.Switch("--json", flags->json, "as JSON");
  command.Examples(
      {"enigma load demo", "enigma load demo --stages 2 --context 4096", "enigma load demo --node host2 --node host3"});
  command.Does([flags] { return RunLoad(*flags); });
}

}  // namespace enigma::cli
