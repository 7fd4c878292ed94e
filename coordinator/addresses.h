#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "coordinator/coordinator.h"

namespace enigma::coordinator {

// Where a process on this machine reaches a server that listens on `host`.
std::string LocalEndpoint(const std::string& host, int port);
// On which workers reach the coordinator, without a port.
absl::StatusOr<std::vector<std::string>> AddressesForWorkers(const Coordinator::Options& options);
// By which clients may name this machine.
absl::StatusOr<std::vector<std::string>> HostNames(const Coordinator::Options& options);

}  // namespace enigma::coordinator
