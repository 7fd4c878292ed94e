// `enigma coordinator`: the daemon that admits nodes, places models and answers requests.
#include "coordinator/coordinator.h"

#include <atomic>
#include <cstdio>
#include <memory>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/daemon/interface_names.h"
#include "cli/daemon/open_files.h"
#include "cli/daemon/stop_signals.h"
#include "cli/settings/daemon_flags.h"
#include "cli/settings/shipped_folder.h"
#include "cli/up/child_process.h"
#include "cli/usage_error.h"
#include "coordinator/gateway/openai/cors.h"
#include "telemetry/log.h"

namespace enigma::cli {

namespace {

std::string ModelsFolder(const Settings& settings) {
  const bool none = settings.Switch("no-default-models") && !settings.IsNearer("models-dir", "no-default-models");
  if (none) return "";
  return settings.IsSet("models-dir") ? settings.Text("models-dir") : ShippedModelsFolder(OwnProgram());
}

coordinator::Coordinator::Options CoordinatorOptionsOf(const Settings& settings) {
  const Endpoint listen = settings.Endpoint("listen");
  const Endpoint http = settings.Endpoint("http");
  coordinator::Coordinator::Options options;
  options.data_dir = settings.IsSet("data-dir") ? settings.Text("data-dir") : DefaultDataDir();
  options.listen_host = listen.host;
  options.listen_port = listen.port;
  options.http_host = http.host;
  options.http_port = http.port;
  options.tls_chain_path = settings.Text("tls-cert");
  options.tls_key_path = settings.Text("tls-key");
  options.tls_self_signed = settings.Switch("tls-self-signed");
  if (settings.IsSet("public-grpc")) {
    const Endpoint public_grpc = settings.Endpoint("public-grpc");
    options.public_grpc_host = public_grpc.host;
    options.public_grpc_port = public_grpc.port;
  }
  options.udp = !settings.Switch("no-udp");
  options.udp_port = settings.Port("udp-port");
  options.interfaces = settings.Texts("interface");
  options.advertise = settings.Texts("advertise");
  options.insecure = settings.Switch("insecure");
  options.cors_origins = settings.Texts("cors-origin");
  options.no_auth = settings.Switch("no-auth");
  options.specialists_file = settings.Text("specialists");
  options.models_folder = ModelsFolder(settings);
  options.models_folder_optional = !settings.IsSet("models-dir");
  options.token_file = settings.Text("token-file");
  options.heartbeat_ms = static_cast<uint32_t>(settings.Count("heartbeat-ms"));
  options.silence_ms = static_cast<uint32_t>(settings.Count("silence-ms"));
  options.stall_after = absl::Seconds(settings.Count("stall-timeout"));
  options.running_max = settings.Count("running-max");
  options.waiting_max = settings.Count("waiting-max");
  options.version = ENIGMA_VERSION;
  return options;
}

absl::Status CheckTls(const Settings& settings) {
  const bool has_files = settings.IsSet("tls-cert");
  if (has_files != settings.IsSet("tls-key")) {
    return UsageError(absl::StrCat(has_files ? "--tls-cert" : "--tls-key",
                                   ": the other one of --tls-cert and --tls-key ",
                                   "is needed, too: the certificate in one file, its private key in another"));
  }
  if (has_files && settings.Switch("tls-self-signed")) {
    return UsageError("--tls-self-signed: a certificate is given already, with --tls-cert");
  }
  if (settings.Switch("tls-self-signed") && settings.Switch("insecure")) {
    return UsageError("--tls-self-signed: with --insecure there is no cluster CA that could sign; use --tls-cert");
  }
  if (settings.IsSet("public-grpc") && !has_files && !settings.Switch("tls-self-signed")) {
    return UsageError("--public-grpc: it speaks TLS only: add --tls-cert and --tls-key, or --tls-self-signed");
  }
  return absl::OkStatus();
}

absl::Status RunCoordinator(const DaemonFlags& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const Settings settings, flags.Resolve());
  if (const absl::Status level = SetLogLevel(settings.Text("log")); !level.ok()) {
    return UsageError(absl::StrCat("--log: ", level.message()));
  }
  const coordinator::Coordinator::Options options = CoordinatorOptionsOf(settings);
  if (options.silence_ms < 2 * options.heartbeat_ms) {
    return UsageError(absl::StrCat("--silence-ms: ", options.silence_ms,
                                   " is less than twice --heartbeat-ms, which is ", options.heartbeat_ms,
                                   ": a report that is a little late would be a death"));
  }
  ENIGMA_RETURN_IF_ERROR(CheckTls(settings));
  if (const auto cors = coordinator::CorsPolicy::Create(options.cors_origins); !cors.ok()) {
    return UsageError(absl::StrCat("--cors-origin: ", cors.status().message()));
  }
  RaiseOpenFiles();
  WarnOfUnknownInterfaces(settings.Texts("interface"));
  // The coordinator is made after the signals are blocked, because making it starts threads, and outlives their
  // watcher.
  std::unique_ptr<coordinator::Coordinator> coordinator;
  std::atomic<coordinator::Coordinator*> running{nullptr};
  const absl::Duration drain = absl::Seconds(settings.Count("drain-timeout"));
  const StopSignals signals(
      [&running, drain] {
        if (coordinator::Coordinator* target = running.load(); target != nullptr) target->Drain(drain);
      },
      [&running] {
        if (coordinator::Coordinator* target = running.load(); target != nullptr) target->Stop();
      });
  ENIGMA_ASSIGN_OR_RETURN(coordinator, coordinator::Coordinator::Create(options));
  running.store(coordinator.get());
  if (signals.stopped()) return absl::OkStatus();
  const bool tls = !options.tls_chain_path.empty() || options.tls_self_signed;
  const std::string public_grpc = coordinator->public_grpc_port() == 0
                                      ? ""
                                      : absl::StrCat("public gRPC port ", coordinator->public_grpc_port(), ", ");
  std::printf("coordinator of cluster %s: gRPC port %d, %s port %d, %sdata in %s\n", coordinator->cluster_id().c_str(),
              coordinator->grpc_port(), tls ? "HTTPS" : "HTTP", coordinator->http_port(), public_grpc.c_str(),
              options.data_dir.c_str());
  std::fflush(stdout);
  coordinator->Run();
  return absl::OkStatus();
}

}  // namespace

void AddCoordinator(Command& root) {
  Command command = root.Add("coordinator", "run the coordinator: admit nodes, place models, answer");
  auto flags = std::make_shared<DaemonFlags>(command, kCoordinatorDaemon);
  command.Examples({"enigma coordinator", "enigma coordinator --config /etc/enigma/coordinator.yaml"});
  command.Does([flags] { return RunCoordinator(*flags); });
}

}  // namespace enigma::cli
