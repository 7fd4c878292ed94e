// `enigma up`: a whole cluster on this machine.
#include <filesystem>
#include <memory>

#include "cli/commands/commands.h"
#include "cli/settings/daemon_flags.h"
#include "cli/up/local_cluster.h"
#include "cli/usage_error.h"

namespace enigma::cli {

namespace {

absl::Status RunUp(LocalClusterOptions options) {
  if (options.names.size() > options.models.size()) return UsageError("--name: more names than models");
  if (options.data_dir.empty()) options.data_dir = DefaultDataDir();
  std::error_code error;
  const auto absolute = std::filesystem::absolute(options.data_dir, error);
  if (!error) options.data_dir = absolute.string();
  return RunLocalCluster(options);
}

}  // namespace

void AddUp(Command& root) {
  Command command = root.Add("up", "a whole cluster on this machine: a coordinator and N workers");
  auto options = std::make_shared<LocalClusterOptions>();
  command.Number("--workers", options->workers, "workers, each a process of its own (default 1)", "N").Between(1, 64);
  command.Number("--stages", options->stages, "cut each model into N stages (default: as placement finds best)", "N");
  command.Texts("--model", options->models, "GGUF file to load; may be repeated", "PATH");
  command.Texts("--name", options->names, "name of the model, in the order of --model (default: the file's stem)",
                "NAME");
  command.Text("--data-dir", options->data_dir, "where the cluster keeps its state (default: see README)", "PATH")
      .Or("ENIGMA_DATA_DIR");
  command.Text("--listen", options->listen, "the coordinator's gRPC address (default 0.0.0.0:50051)", "HOST:PORT");
  command.Text("--http", options->http, "the coordinator's HTTP address (default 127.0.0.1:8080)", "HOST:PORT");
  command.Text("--udp-port", options->udp_port, "port of the beacons (default 50052)", "PORT").Between(1, 65535);
  command.Number("--threads", options->threads, "threads of all workers together (default: one per core)", "N");
  command.Text("--log", options->log, "debug, info, warning, error or off", "LEVEL");
  command.Switch("--insecure", options->insecure, "no TLS and no tokens: for laboratories only");
  command.Text("--ready-file", options->ready_file, "write this file once every model answers", "PATH");
  command.Does([options] { return RunUp(*options); });
}

}  // namespace enigma::cli
