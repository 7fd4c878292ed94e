// `enigma worker`: this machine as a node of a cluster.
#include "worker/worker.h"

#include <atomic>
#include <filesystem>
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/daemon/interface_names.h"
#include "cli/daemon/open_files.h"
#include "cli/daemon/stop_signals.h"
#include "cli/daemon/token_file.h"
#include "cli/settings/daemon_flags.h"
#include "cli/usage_error.h"
#include "telemetry/log.h"
#include "worker/membership/enrolment.h"

namespace enigma::cli {

namespace {

worker::Worker::Options WorkerOptionsOf(const Settings& settings) {
  const Endpoint listen = settings.Endpoint("listen");
  worker::Worker::Options options;
  options.data_dir = settings.IsSet("data-dir") ? settings.Text("data-dir") : DefaultDataDir() + "/worker";
  options.host = listen.host;
  options.port = listen.port;
  options.coordinators = settings.Texts("seed");
  options.token = settings.Text("token");
  options.insecure = settings.Switch("insecure");
  options.trusted_network = settings.Switch("trusted-network");
  options.threads = static_cast<int>(settings.Count("threads"));
  options.memory_limit_bytes = settings.Bytes("memory");
  options.udp = !settings.Switch("no-udp");
  options.udp_port = settings.Port("udp-port");
  options.interfaces.only = settings.Texts("interface");
  options.metrics_host = listen.host;
  options.metrics_port = settings.Port("metrics-port");
  options.advertise = settings.Texts("advertise");
  return options;
}

absl::Status RunWorker(const DaemonFlags& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const Settings settings, flags.Resolve());
  if (const absl::Status level = SetLogLevel(settings.Text("log")); !level.ok()) {
    return UsageError(absl::StrCat("--log: ", level.message()));
  }
  worker::Worker::Options options = WorkerOptionsOf(settings);
  RaiseOpenFiles();
  WarnOfUnknownInterfaces(settings.Texts("interface"));
  // The worker is made after the signals are blocked, because making it starts threads, and outlives their watcher.
  std::unique_ptr<worker::Worker> worker;
  std::atomic<worker::Worker*> running{nullptr};
  const absl::Duration drain = absl::Seconds(settings.Count("drain-timeout"));
  const StopSignals signals(
      [&running, drain] {
        if (worker::Worker* target = running.load(); target != nullptr) target->Drain(drain);
      },
      [&running] {
        if (worker::Worker* target = running.load(); target != nullptr) target->Stop();
      });
  const std::string token_file = settings.Text("token-file");
  const bool joined = std::filesystem::exists(worker::IdentityPath(options.data_dir));
  if (options.token.empty() && !token_file.empty() && !joined && !options.insecure) {
    ENIGMA_ASSIGN_OR_RETURN(options.token, AwaitTokenFile(token_file, [&signals] { return signals.stopped(); }));
  }
  ENIGMA_ASSIGN_OR_RETURN(worker, worker::Worker::Create(std::move(options)));
  running.store(worker.get());
  if (signals.stopped()) return absl::OkStatus();
  return worker->Run();
}

}  // namespace

void AddWorker(Command& root) {
  Command command = root.Add("worker", "run this machine as a node: join a cluster and host stages");
  auto flags = std::make_shared<DaemonFlags>(command, kWorkerDaemon);
  command.Examples({"enigma worker --token enigma-...                        on the coordinator's network",
                    "enigma worker --token enigma-... --seed host1:50051     from anywhere"});
  command.Does([flags] { return RunWorker(*flags); });
}

}  // namespace enigma::cli
