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

void AddUp(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("up", "a whole cluster on this machine: a coordinator and N workers");
  auto options = std::make_shared<LocalClusterOptions>();
  command->add_option("--workers", options->workers, "workers, each a process of its own (default 1)")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  command->add_option("--stages", options->stages, "cut each model into N stages (default: as placement finds best)")
      ->type_name("N");
  command->add_option("--model", options->models, "GGUF file to load; may be repeated")
      ->type_name("PATH")
      ->allow_extra_args(false);
  command->add_option("--name", options->names, "name of the model, in the order of --model (default: the file's stem)")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command->add_option("--data-dir", options->data_dir, "where the cluster keeps its state (default: see README)")
      ->type_name("PATH")
      ->envname("ENIGMA_DATA_DIR");
  command->add_option("--listen", options->listen, "the coordinator's gRPC address (default 0.0.0.0:50051)")
      ->type_name("HOST:PORT");
  command->add_option("--http", options->http, "the coordinator's HTTP address (default 127.0.0.1:8080)")
      ->type_name("HOST:PORT");
  command->add_option("--udp-port", options->udp_port, "port of the beacons (default 50052)")
      ->check(CLI::Range(1, 65535))
      ->type_name("PORT");
  command->add_option("--threads", options->threads, "threads of all workers together (default: one per core)")
      ->type_name("N");
  command->add_option("--log", options->log, "debug, info, warning, error or off")->type_name("LEVEL");
  command->add_flag("--insecure", options->insecure, "no TLS and no tokens: for laboratories only");
  command->add_option("--ready-file", options->ready_file, "write this file once every model answers")
      ->type_name("PATH");
  command->callback([&action, options] { action = [options] { return RunUp(*options); }; });
}

}  // namespace enigma::cli
