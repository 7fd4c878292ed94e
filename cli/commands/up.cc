// `enigma up`: a whole cluster on this machine.
#include <memory>
#include <set>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/settings/daemon_flags.h"
#include "cli/up/local_cluster.h"
#include "cli/usage_error.h"
#include "coordinator/operations/absolute_path.h"

namespace enigma::cli {

namespace {

absl::Status CheckListening(const char* flag, const std::string& text) {
  if (text.empty()) return absl::OkStatus();
  const auto endpoint = ParseListening(text);
  return endpoint.ok() ? absl::OkStatus() : UsageError(absl::StrCat(flag, ": ", endpoint.status().message()));
}

absl::Status Check(const LocalClusterOptions& options) {
  ENIGMA_RETURN_IF_ERROR(CheckListening("--listen", options.listen));
  ENIGMA_RETURN_IF_ERROR(CheckListening("--http", options.http));
  if (options.names.size() > options.models.size()) {
    return UsageError(absl::StrCat("--name: ", options.names.size(), " names for ", options.models.size(),
                                   " model(s); give each model with --model PATH"));
  }
  if (options.encoders.size() > options.models.size()) {
    return UsageError(absl::StrCat("--encoder: ", options.encoders.size(), " image encoders for ",
                                   options.models.size(), " model(s); give each model with --model PATH"));
  }
  std::set<std::string> names;
  for (size_t i = 0; i < options.models.size(); ++i) {
    if (!names.insert(options.NameOf(i)).second) {
      return UsageError(absl::StrCat("--model: two models would be called \"", options.NameOf(i),
                                     "\"; give each a name of its own with --name"));
    }
  }
  return absl::OkStatus();
}

absl::Status RunUp(LocalClusterOptions options) {
  ENIGMA_RETURN_IF_ERROR(Check(options));
  if (options.data_dir.empty()) options.data_dir = DefaultDataDir();
  options.data_dir = coordinator::AbsolutePath(options.data_dir);
  return RunLocalCluster(options);
}

}  // namespace

void AddUp(Command& root) {
  Command command = root.Add("up", "a whole cluster on this machine: a coordinator and N workers");
  auto options = std::make_shared<LocalClusterOptions>();
  command.Number("--workers", options->workers, "workers, each a process of its own, 1 to 64 (default 1)", "N")
      .Between(1, 64);
  command
      .Number("--stages", options->stages,
              "cut each model into N stages, at most one for each worker (default: as placement finds best)", "N")
      .AtLeast(1);
  command.Texts("--model", options->models, "GGUF file to load; may be repeated", "PATH").Utf8();
  command
      .Texts("--name", options->names,
             "name of the model, in the order of --model (default: the file's name without .gguf)", "NAME")
      .Utf8();
  command
      .Texts("--encoder", options->encoders,
             "the image encoder trained with a model, a GGUF file likewise, in the order of --model: models that take "
             "pictures come first",
             "PATH")
      .Utf8();
  command
      .Text("--data-dir", options->data_dir,
            "where the cluster keeps its state (default: $XDG_DATA_HOME/enigma or ~/.local/share/enigma)", "PATH")
      .Or("ENIGMA_DATA_DIR");
  command.Text("--listen", options->listen,
               "the coordinator's gRPC address; port 0 picks a free one (default 0.0.0.0:50051)", "HOST:PORT");
  command.Text(
      "--http", options->http,
      "the coordinator's address of the HTTP API and /metrics; port 0 picks a free one (default 127.0.0.1:8080)",
      "HOST:PORT");
  command
      .Text("--specialists", options->specialists,
            "file of YAML with the specialists behind the model \"auto\"; read again when it changes", "PATH")
      .Or("ENIGMA_SPECIALISTS");
  command
      .Text("--models-dir", options->models_dir,
            "folder whose models, and specialists unless others are given, are there from the start; they are loaded "
            "when they are first asked (default: those that come with the program)",
            "PATH")
      .Or("ENIGMA_MODELS_DIR");
  command.Switch("--no-default-models", options->no_default_models, "without the models that come with the program");
  command.Number("--udp-port", options->udp_port, "port of the beacons, 1 to 65535 (default 50052)", "PORT")
      .Between(1, 65535);
  command.Number("--threads", options->threads, "threads of all workers together (default: one per core)", "N")
      .Between(1, 65536);
  command.Text("--log", options->log, "debug, info, warning, error or off (default info)", "LEVEL")
      .Among({"debug", "info", "warning", "error", "off"});
  command
      .Number(
          "--drain-timeout", options->drain_seconds,
          "when told to stop: seconds that requests which run may take to end (default 30); a second signal ends at "
          "once",
          "SECONDS")
      .Or("ENIGMA_DRAIN_TIMEOUT")
      .Between(0, 86'400);
  command.Switch("--insecure", options->insecure, "no TLS and no tokens: for laboratories only");
  command.Switch("--trusted-network", options->trusted_network,
                 "what workers say of theirs, so that jobs may use --collective gloo (`enigma worker --help`)");
  command.Text("--ready-file", options->ready_file, "write this file once every model answers", "PATH");
  command.Examples({"enigma up --workers 3 --stages 3 --model model.gguf --name demo",
                    "enigma up --model vision.gguf --encoder vision.encoder.gguf --name vision",
                    "enigma up --workers 2 --data-dir /tmp/trial --listen 127.0.0.1:0 --http 127.0.0.1:0"});
  command.Does([options] { return RunUp(*options); });
}

}  // namespace enigma::cli
