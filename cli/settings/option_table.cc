#include "cli/settings/option_table.h"

#include <array>
#include <cctype>

namespace enigma::cli {

namespace {

constexpr unsigned kBoth = kCoordinatorDaemon | kWorkerDaemon;

constexpr DaemonOption kOptions[] = {
    {"data-dir", OptionKind::kPath, kBoth, "", "",
     "where this daemon keeps its keys and state (default: $XDG_DATA_HOME/enigma or ~/.local/share/enigma; "
     "a worker's: the folder `worker` in it)"},
    {"listen", OptionKind::kEndpoint, kBoth, "0.0.0.0:50051", "0.0.0.0:50053",
     "address of the gRPC server (mutual TLS)"},
    {"http", OptionKind::kEndpoint, kCoordinatorDaemon, "127.0.0.1:8080", "", "address of the HTTP API and /metrics"},
    {"tls-cert", OptionKind::kPath, kCoordinatorDaemon, "", "",
     "file of PEM with the certificate (and those above it) with which HTTP and the public gRPC address speak TLS; "
     "read "
     "again when it changes"},
    {"tls-key", OptionKind::kPath, kCoordinatorDaemon, "", "", "file of PEM with the private key of tls-cert"},
    {"tls-self-signed", OptionKind::kSwitch, kCoordinatorDaemon, "false", "",
     "in place of tls-cert: a certificate of the cluster's own CA, for this machine's names and addresses; clients "
     "trust "
     "DATA_DIR/pki/cluster-ca.crt"},
    {"public-grpc", OptionKind::kEndpoint, kCoordinatorDaemon, "", "",
     "second address of the gRPC server, for clients with an API key: TLS with the certificate above, none asked of "
     "the "
     "client (default: none)"},
    {"metrics-port", OptionKind::kPort, kWorkerDaemon, "", "9464", "port of /metrics over plain HTTP"},
    {"udp-port", OptionKind::kPort, kBoth, "50052", "50052", "port of the beacons by which nodes find each other"},
    {"no-udp", OptionKind::kSwitch, kBoth, "false", "false", "send and hear no beacons; seeds only"},
    {"interface", OptionKind::kTexts, kBoth, "", "",
     "network interfaces for beacons (default: every real one; docker and veth are skipped unless named here)"},
    {"seed", OptionKind::kAddresses, kWorkerDaemon, "", "",
     "address of a coordinator; a name is resolved again and again, so a Kubernetes service works"},
    {"advertise", OptionKind::kAddresses, kBoth, "", "",
     "addresses on which others reach this node (default: those of its interfaces)"},
    {"token", OptionKind::kText, kWorkerDaemon, "", "", "join token, as `enigma token create` prints it", true},
    {"token-file", OptionKind::kPath, kBoth, "", "",
     "worker: reads its join token from this file, and waits for it to appear; coordinator: writes one there"},
    {"threads", OptionKind::kCount, kWorkerDaemon, "", "0",
     "threads that compute (0: one per CPU core of this machine)", false, 0, 1024},
    {"memory", OptionKind::kBytes, kWorkerDaemon, "", "0", "most memory for stages, such as 12G (0: what is free)"},
    {"heartbeat-ms", OptionKind::kCount, kCoordinatorDaemon, "200", "", "how often a node reports, in milliseconds",
     false, 10, 60'000},
    {"silence-ms", OptionKind::kCount, kCoordinatorDaemon, "1000", "",
     "a node that is silent for so long is dead, in milliseconds; at least twice heartbeat-ms", false, 20, 3'600'000},
    {"stall-timeout", OptionKind::kCount, kCoordinatorDaemon, "60", "",
     "a stage that has work and finishes no step for so long counts as stalled, in seconds: its model is not ready "
     "without another replica; nothing is ended",
     false, 1, 86'400},
    {"running-max", OptionKind::kCount, kCoordinatorDaemon, "64", "", "most requests in one replica at a time", false,
     1},
    {"waiting-max", OptionKind::kCount, kCoordinatorDaemon, "256", "",
     "most requests that wait for one model; more are refused"},
    {"drain-timeout", OptionKind::kCount, kBoth, "30", "30",
     "when told to stop (SIGTERM, Ctrl-C): how long what runs may take to end, in seconds; nothing new is taken "
     "meanwhile, and a second signal ends at once",
     false, 0, 86'400},
    {"cors-origin", OptionKind::kTexts, kCoordinatorDaemon, "", "",
     "site whose pages may use the HTTP API from a browser: https://app.example, or * for every site (default: none)"},
    {"specialists", OptionKind::kPath, kCoordinatorDaemon, "", "",
     "file of YAML with the specialists behind the model \"auto\" (docs/routing.md); read again when it changes"},
    {"models-dir", OptionKind::kPath, kCoordinatorDaemon, "", "",
     "folder whose models, and specialists unless others are given, are there from the start (default: "
     "../share/enigma/models as seen from the program, or models/ of the source tree that it was built in)"},
    {"no-default-models", OptionKind::kSwitch, kCoordinatorDaemon, "false", "",
     "without the folder of models that comes with the program, or another that the same place or a farther one names "
     "as models-dir (a flag is nearer than the environment, and that than the file)"},
    {"no-auth", OptionKind::kSwitch, kCoordinatorDaemon, "false", "",
     "answer prompts of everybody who can connect, not only of this machine and holders of a certificate"},
    {"insecure", OptionKind::kSwitch, kBoth, "false", "false", "no TLS and no tokens: for laboratories only"},
    {"trusted-network", OptionKind::kSwitch, kWorkerDaemon, "", "false",
     "everybody on this network may read and change what training jobs with --collective gloo send in plain text"},
    {"log", OptionKind::kText, kBoth, "info", "info", "debug, info, warning, error or off"},
};

}  // namespace

std::span<const DaemonOption> DaemonOptions() { return kOptions; }

const DaemonOption* FindDaemonOption(std::string_view name, unsigned daemon) {
  for (const DaemonOption& option : kOptions) {
    if (name == option.name && (option.daemons & daemon) != 0) return &option;
  }
  return nullptr;
}

std::string EnvironmentName(std::string_view option_name) {
  std::string name = "ENIGMA_";
  for (const char c : option_name) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

const char* DefaultOf(const DaemonOption& option, unsigned daemon) {
  return daemon == kCoordinatorDaemon ? option.coordinator_default : option.worker_default;
}

std::string_view KindName(OptionKind kind) {
  switch (kind) {
    case OptionKind::kText:
      return "text";
    case OptionKind::kTexts:
      return "texts";
    case OptionKind::kAddresses:
      return "addresses";
    case OptionKind::kPath:
      return "path";
    case OptionKind::kEndpoint:
      return "endpoint";
    case OptionKind::kPort:
      return "port";
    case OptionKind::kCount:
      return "count";
    case OptionKind::kBytes:
      return "bytes";
    case OptionKind::kSwitch:
      return "switch";
  }
  return "";
}

}  // namespace enigma::cli
