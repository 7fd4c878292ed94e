#include "coordinator/state/node.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "base/text.h"

namespace enigma::coordinator {
namespace {

std::string HostPort(std::string_view host, uint32_t port) {
  const bool bare_ipv6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  return bare_ipv6 ? absl::StrCat("[", ToAbsl(host), "]:", port) : absl::StrCat(ToAbsl(host), ":", port);
}

}  // namespace

std::string_view NodeStateName(NodeState state) {
  switch (state) {
    case NodeState::kAbsent:
      return "absent";
    case NodeState::kReady:
      return "ready";
    case NodeState::kDead:
      return "dead";
  }
  return "unknown";
}

bool MayMove(NodeState from, NodeState to) {
  switch (from) {
    case NodeState::kAbsent:
    case NodeState::kDead:
      return to == NodeState::kReady;
    case NodeState::kReady:
      return to == NodeState::kDead;
  }
  return false;
}

std::string Node::Label() const {
  return hello.host_name().empty() ? id : absl::StrCat(id, " (", hello.host_name(), ")");
}

std::vector<std::string> EndpointsOf(const enigma::v1::WorkerHello& hello, std::string_view peer_host) {
  std::vector<std::string> endpoints;
  const auto add = [&](std::string endpoint) {
    if (std::find(endpoints.begin(), endpoints.end(), endpoint) == endpoints.end()) {
      endpoints.push_back(std::move(endpoint));
    }
  };
  for (const std::string& address : hello.addresses()) add(HostPort(address, hello.grpc_port()));
  if (!peer_host.empty()) add(HostPort(peer_host, hello.grpc_port()));
  return endpoints;
}

}  // namespace enigma::coordinator
