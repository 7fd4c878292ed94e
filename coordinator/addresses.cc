#include "coordinator/addresses.h"

#include <unistd.h>

#include <set>

#include "base/status_macros.h"
#include "discovery/interfaces.h"
#include "rpc/endpoint.h"

namespace enigma::coordinator {
namespace {

bool IsWildcard(const std::string& host) { return host.empty() || host == "0.0.0.0" || host == "::"; }

}  // namespace

std::string LocalEndpoint(const std::string& host, int port) {
  return Endpoint{IsWildcard(host) ? "127.0.0.1" : host, port}.ToText();
}

absl::StatusOr<std::vector<std::string>> AddressesForWorkers(const Coordinator::Options& options) {
  if (!options.advertise.empty()) return options.advertise;
  if (!IsWildcard(options.listen_host)) return std::vector<std::string>{options.listen_host};
  InterfaceRules rules;
  rules.only = options.interfaces;
  ENIGMA_ASSIGN_OR_RETURN(std::vector<std::string> addresses, ReachableAddresses(rules));
  // Last, for workers on this machine whose other addresses are of no use.
  addresses.emplace_back("127.0.0.1");
  return addresses;
}

absl::StatusOr<std::vector<std::string>> HostNames(const Coordinator::Options& options) {
  std::set<std::string> hosts = {"localhost", "127.0.0.1", "::1"};
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0') hosts.insert(name);
  for (const std::string& host : {options.http_host, options.public_grpc_host}) {
    if (!IsWildcard(host)) hosts.insert(host);
  }
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<std::string> addresses, AddressesForWorkers(options));
  hosts.insert(addresses.begin(), addresses.end());
  return std::vector<std::string>(hosts.begin(), hosts.end());
}

}  // namespace enigma::coordinator
