#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace enigma {

struct InterfaceAddress {
  bool ipv6 = false;
  std::string address;    // literal; IPv6 link-local without its zone
  std::string broadcast;  // IPv4 directed broadcast; empty where there is none
};

// A network interface as discovery sees it.
struct NetworkInterface {
  std::string name;
  int index = 0;
  bool loopback = false;
  bool multicast = false;
  std::vector<InterfaceAddress> addresses;
  bool used = false;
  std::string reason;  // why it is not used, or "" when it is
};

struct InterfaceRules {
  // Exactly these, when given, also those that would be skipped.
  std::vector<std::string> only;
  // Also interfaces made by container engines and hypervisors.
  bool include_virtual = false;
};

// The decision about one interface: empty when it is to be used, otherwise why not.
std::string ReasonToSkip(const NetworkInterface& interface, bool is_up, const InterfaceRules& rules);

// All interfaces of this machine (this network namespace) with their addresses.
absl::StatusOr<std::vector<NetworkInterface>> ListInterfaces(const InterfaceRules& rules);

// Literal addresses on which other machines may reach this one, best first: IPv4, global IPv6. Loopback alone when
// there is nothing else.
absl::StatusOr<std::vector<std::string>> ReachableAddresses(const InterfaceRules& rules);

}  // namespace enigma
