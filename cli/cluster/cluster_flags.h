#pragma once

#include <memory>
#include <string>

#include "cli/command/command.h"

namespace enigma::cli {

// How a command finds the cluster that it is about: --data-dir and --coordinator.
struct ClusterFlags {
  std::string data_dir;         // "": DefaultDataDir()
  std::string coordinator;      // HOST:PORT; "": what <data-dir>/endpoint.json says
  double connect_seconds = 10;  // how long a coordinator that is there may take to accept the connection
  bool insecure = false;

  void AddTo(Command& command);
};

}  // namespace enigma::cli
