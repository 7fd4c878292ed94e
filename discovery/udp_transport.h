#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "discovery/interfaces.h"

namespace enigma {

// A datagram as it came in.
struct ReceivedDatagram {
  std::string_view bytes;  // valid during the callback
  bool truncated = false;  // it was larger than any beacon
  sockaddr_storage from{};
  std::string source;  // literal address; IPv6 link-local with its zone
  int interface_index = 0;
};

// The sockets under beacons. Datagrams go out from a port of their own, so that an answer finds this process among
// several on one machine; all of them listen on the shared port, where broadcast and multicast reach every one.
// Not thread-safe, but for Wake.
class UdpTransport {
 public:
  // Port 0 picks a free one.
  static absl::StatusOr<std::unique_ptr<UdpTransport>> Create(int port);
  ~UdpTransport();
  UdpTransport(const UdpTransport&) = delete;
  UdpTransport& operator=(const UdpTransport&) = delete;

  [[nodiscard]] int port() const { return port_; }

  // Joins the groups on interfaces that are new. The error, if any, is the last of those met; the rest was done.
  absl::Status Join(const std::vector<NetworkInterface>& interfaces);

  // Sends on every path of one interface: directed broadcast for each IPv4 address, IPv4 and IPv6 multicast. `sent`
  // gets the number of datagrams that went out. An error is the last one met; what could be sent was sent.
  absl::Status SendOn(const NetworkInterface& interface, std::string_view datagram, int* sent);
  absl::Status SendTo(const sockaddr_storage& to, std::string_view datagram);

  // Hands over what arrives until `timeout` has passed or Wake was called; at most `batch_max` datagrams.
  void Receive(absl::Duration timeout, int batch_max, const std::function<void(const ReceivedDatagram&)>& take);
  // Ends a Receive, from any thread.
  void Wake();

 private:
  UdpTransport() = default;
  absl::Status Open(int port);
  absl::Status Multicast4(const NetworkInterface& interface, const InterfaceAddress& address,
                          std::string_view datagram);
  absl::Status Multicast6(const NetworkInterface& interface, std::string_view datagram);
  bool ReceiveOne(int fd, const std::function<void(const ReceivedDatagram&)>& take);

  int port_ = 0;
  int listen4_ = -1, listen6_ = -1, send4_ = -1, send6_ = -1;  // the IPv6 ones are -1 where there is no IPv6
  int wake_ = -1;
  std::set<int> joined4_, joined6_;  // interface indices
};

}  // namespace enigma
