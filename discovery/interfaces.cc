#include "discovery/interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"

namespace enigma {
namespace {

// Names that container engines and hypervisors give to the interfaces they make on the host's side. "br-" and a
// hexadecimal id is Docker's; a bridge of the operator's own, such as br0, is a real interface.
constexpr std::string_view kVirtualPrefixes[] = {"docker",  "br-",   "veth",    "virbr", "vnet", "cni",
                                                 "flannel", "cali",  "cilium",  "lxc",   "lxd",  "podman",
                                                 "kube-",   "vmnet", "vboxnet", "dummy"};

std::string Literal(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  }
  return text;
}

bool IsLinkLocal6(const std::string& address) { return absl::StartsWith(address, "fe80:"); }

void AddAddress(NetworkInterface& interface, const ifaddrs& entry) {
  if (entry.ifa_addr == nullptr) return;
  const int family = entry.ifa_addr->sa_family;
  if (family != AF_INET && family != AF_INET6) return;
  InterfaceAddress address;
  address.ipv6 = family == AF_INET6;
  address.address = Literal(entry.ifa_addr);
  if (!address.ipv6 && interface.loopback) {
    address.broadcast = "127.255.255.255";
  } else if (!address.ipv6 && (entry.ifa_flags & IFF_BROADCAST) != 0 && entry.ifa_broadaddr != nullptr) {
    address.broadcast = Literal(entry.ifa_broadaddr);
    // Where no broadcast address was set (as `ip addr add` does by itself), it follows from the mask.
    if ((address.broadcast == "0.0.0.0" || address.broadcast == address.address) && entry.ifa_netmask != nullptr) {
      sockaddr_in derived = *reinterpret_cast<const sockaddr_in*>(entry.ifa_addr);
      const uint32_t mask = reinterpret_cast<const sockaddr_in*>(entry.ifa_netmask)->sin_addr.s_addr;
      const bool has_hosts = ntohl(~mask) >= 3;
      derived.sin_addr.s_addr |= ~mask;
      address.broadcast = has_hosts ? Literal(reinterpret_cast<const sockaddr*>(&derived)) : "";
    }
  }
  interface.addresses.push_back(std::move(address));
}

}  // namespace

std::string ReasonToSkip(const NetworkInterface& interface, bool is_up, const InterfaceRules& rules) {
  const bool named = std::find(rules.only.begin(), rules.only.end(), interface.name) != rules.only.end();
  if (!rules.only.empty() && !named) return "not among the interfaces asked for";
  if (!is_up) return "down";
  if (interface.addresses.empty()) return "has no address";
  if (interface.loopback || named) return "";
  if (!rules.include_virtual) {
    for (const std::string_view prefix : kVirtualPrefixes) {
      if (absl::StartsWith(interface.name, ToAbsl(prefix))) {
        return "made by a container engine or hypervisor; name it to use it";
      }
    }
  }
  const bool can_broadcast = std::any_of(interface.addresses.begin(), interface.addresses.end(),
                                         [](const InterfaceAddress& address) { return !address.broadcast.empty(); });
  if (!interface.multicast && !can_broadcast) return "can neither broadcast nor multicast; use a seed across it";
  return "";
}

absl::StatusOr<std::vector<NetworkInterface>> ListInterfaces(const InterfaceRules& rules) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    const int error = errno;
    return absl::ErrnoToStatus(error, "cannot list the network interfaces");
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, &freeifaddrs);
  std::vector<NetworkInterface> interfaces;
  std::vector<bool> up;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    auto known = std::find_if(interfaces.begin(), interfaces.end(),
                              [&](const NetworkInterface& one) { return one.name == entry->ifa_name; });
    if (known == interfaces.end()) {
      NetworkInterface fresh;
      fresh.name = entry->ifa_name;
      fresh.index = static_cast<int>(if_nametoindex(entry->ifa_name));
      fresh.loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
      fresh.multicast = (entry->ifa_flags & IFF_MULTICAST) != 0;
      interfaces.push_back(std::move(fresh));
      up.push_back((entry->ifa_flags & IFF_UP) != 0);
      known = interfaces.end() - 1;
    }
    AddAddress(*known, *entry);
  }
  for (size_t i = 0; i < interfaces.size(); ++i) {
    interfaces[i].reason = ReasonToSkip(interfaces[i], up[i], rules);
    interfaces[i].used = interfaces[i].reason.empty();
  }
  return interfaces;
}

absl::StatusOr<std::vector<std::string>> ReachableAddresses(const InterfaceRules& rules) {
  ENIGMA_ASSIGN_OR_RETURN(const auto interfaces, ListInterfaces(rules));
  std::vector<std::string> ipv4, ipv6, loopback;
  for (const NetworkInterface& interface : interfaces) {
    // A tunnel without broadcast is of no use to beacons, and yet an address to be reached on.
    const bool usable = interface.used || absl::StartsWith(interface.reason, "can neither");
    if (!usable) continue;
    for (const InterfaceAddress& address : interface.addresses) {
      if (interface.loopback) {
        if (!address.ipv6) loopback.push_back(address.address);
      } else if (!address.ipv6) {
        ipv4.push_back(address.address);
      } else if (!IsLinkLocal6(address.address)) {
        ipv6.push_back(address.address);  // a link-local one means something only with the caller's own zone
      }
    }
  }
  ipv4.insert(ipv4.end(), ipv6.begin(), ipv6.end());
  return ipv4.empty() ? loopback : ipv4;
}

}  // namespace enigma
