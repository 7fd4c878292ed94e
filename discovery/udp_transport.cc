#include "discovery/udp_transport.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <absl/memory/memory.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "discovery/beacon.h"

namespace enigma {
namespace {

// RFC 2365: 239.255.0.0/16 stays within a site. RFC 4291: ff12::/16 is transient and stays on the link.
constexpr const char* kGroup4 = "239.255.77.52";
constexpr const char* kGroup6 = "ff12::656e:6967:6d61";
constexpr int kReceiveBufferBytes = 1 << 20;

absl::Status SocketError(const char* what) {
  const int error = errno;
  return absl::ErrnoToStatus(error, what);
}

absl::Status SetInt(int fd, int level, int option, int value, const char* what) {
  if (setsockopt(fd, level, option, &value, sizeof value) != 0) return SocketError(what);
  return absl::OkStatus();
}

sockaddr_storage Address4(in_addr address, int port) {
  sockaddr_storage storage{};
  auto* in = reinterpret_cast<sockaddr_in*>(&storage);
  in->sin_family = AF_INET;
  in->sin_addr = address;
  in->sin_port = htons(static_cast<uint16_t>(port));
  return storage;
}

sockaddr_storage Address6(const in6_addr& address, int port, int scope) {
  sockaddr_storage storage{};
  auto* in = reinterpret_cast<sockaddr_in6*>(&storage);
  in->sin6_family = AF_INET6;
  in->sin6_addr = address;
  in->sin6_port = htons(static_cast<uint16_t>(port));
  in->sin6_scope_id = static_cast<uint32_t>(scope);
  return storage;
}

socklen_t SizeOf(const sockaddr_storage& address) {
  return address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

in_addr Parse4(const std::string& text) {
  in_addr address{};
  inet_pton(AF_INET, text.c_str(), &address);
  return address;
}

in6_addr Parse6(const char* text) {
  in6_addr address{};
  inet_pton(AF_INET6, text, &address);
  return address;
}

int PortOf(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  return ntohs(bound.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(bound).sin_port
                                          : reinterpret_cast<sockaddr_in6&>(bound).sin6_port);
}

absl::StatusOr<int> OpenSocket(int family, int port, bool shared) {
  const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return SocketError("cannot open a UDP socket");
  const auto prepare = [&]() -> absl::Status {
    if (shared) ENIGMA_RETURN_IF_ERROR(SetInt(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"));
    // Best effort: the kernel's own maximum holds, and a lost beacon comes again.
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof kReceiveBufferBytes);
    sockaddr_storage any{};
    if (family == AF_INET) {
      ENIGMA_RETURN_IF_ERROR(SetInt(fd, SOL_SOCKET, SO_BROADCAST, 1, "SO_BROADCAST"));
      ENIGMA_RETURN_IF_ERROR(SetInt(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO"));
      ENIGMA_RETURN_IF_ERROR(SetInt(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1, "IP_MULTICAST_TTL"));
      ENIGMA_RETURN_IF_ERROR(SetInt(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0, "IP_MULTICAST_ALL"));
      any = Address4({htonl(INADDR_ANY)}, port);
    } else {
      ENIGMA_RETURN_IF_ERROR(SetInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"));
      ENIGMA_RETURN_IF_ERROR(SetInt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO"));
      ENIGMA_RETURN_IF_ERROR(SetInt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, "IPV6_MULTICAST_HOPS"));
      any = Address6(in6addr_any, port, 0);
    }
    if (bind(fd, reinterpret_cast<sockaddr*>(&any), SizeOf(any)) != 0) {
      const int error = errno;
      return absl::ErrnoToStatus(
          error, absl::StrCat("cannot listen for beacons on UDP port ", port, " (see: ss -lunp 'sport = :", port,
                              "'); choose another port for the whole cluster, or use seeds"));
    }
    return absl::OkStatus();
  };
  if (absl::Status status = prepare(); !status.ok()) {
    close(fd);
    return status;
  }
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<UdpTransport>> UdpTransport::Create(int port) {
  auto transport = absl::WrapUnique(new UdpTransport());
  ENIGMA_RETURN_IF_ERROR(transport->Open(port));
  return transport;
}

absl::Status UdpTransport::Open(int port) {
  ENIGMA_ASSIGN_OR_RETURN(listen4_, OpenSocket(AF_INET, port, true));
  port_ = PortOf(listen4_);
  ENIGMA_ASSIGN_OR_RETURN(send4_, OpenSocket(AF_INET, 0, false));
  // A machine without IPv6 is no error.
  if (const auto listen6 = OpenSocket(AF_INET6, port_, true); listen6.ok()) listen6_ = *listen6;
  if (const auto send6 = OpenSocket(AF_INET6, 0, false); send6.ok()) send6_ = *send6;
  wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_ < 0) return SocketError("cannot make an eventfd");
  return absl::OkStatus();
}

UdpTransport::~UdpTransport() {
  for (const int fd : {listen4_, listen6_, send4_, send6_, wake_}) {
    if (fd >= 0) close(fd);
  }
}

absl::Status UdpTransport::Join(const std::vector<NetworkInterface>& interfaces) {
  std::set<int> present;
  absl::Status last;
  for (const NetworkInterface& one : interfaces) {
    present.insert(one.index);
    if (!one.used) continue;
    const auto has = [&](bool ipv6) {
      return std::any_of(one.addresses.begin(), one.addresses.end(),
                         [&](const InterfaceAddress& address) { return address.ipv6 == ipv6; });
    };
    if (has(false) && !joined4_.contains(one.index)) {
      ip_mreqn request{};
      request.imr_multiaddr = Parse4(kGroup4);
      request.imr_ifindex = one.index;
      if (setsockopt(listen4_, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0 || errno == EADDRINUSE) {
        joined4_.insert(one.index);
      } else {
        last = SocketError(absl::StrCat(one.name, ": joining the IPv4 group").c_str());
      }
    }
    if (has(true) && listen6_ >= 0 && !joined6_.contains(one.index)) {
      ipv6_mreq request{};
      request.ipv6mr_multiaddr = Parse6(kGroup6);
      request.ipv6mr_interface = static_cast<unsigned>(one.index);
      if (setsockopt(listen6_, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof request) == 0 ||
          errno == EADDRINUSE) {
        joined6_.insert(one.index);
      } else {
        last = SocketError(absl::StrCat(one.name, ": joining the IPv6 group").c_str());
      }
    }
  }
  // An interface that comes back does so under another index.
  std::erase_if(joined4_, [&](int index) { return !present.contains(index); });
  std::erase_if(joined6_, [&](int index) { return !present.contains(index); });
  return last;
}

absl::Status UdpTransport::Multicast4(const NetworkInterface& interface, const InterfaceAddress& address,
                                      std::string_view datagram) {
  // Naming the interface makes the kernel take the group to be on its link, also without a route.
  sockaddr_storage to = Address4(Parse4(kGroup4), port_);
  iovec data{const_cast<char*>(datagram.data()), datagram.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in_pktinfo))] = {};
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = SizeOf(to);
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
  in_pktinfo info{};
  info.ipi_ifindex = interface.index;
  info.ipi_spec_dst = Parse4(address.address);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
  if (sendmsg(send4_, &message, MSG_NOSIGNAL) < 0) return SocketError("sending to the IPv4 group");
  return absl::OkStatus();
}

absl::Status UdpTransport::Multicast6(const NetworkInterface& interface, std::string_view datagram) {
  return SendTo(Address6(Parse6(kGroup6), port_, interface.index), datagram);
}

absl::Status UdpTransport::SendOn(const NetworkInterface& interface, std::string_view datagram, int* sent) {
  absl::Status last;
  const auto count = [&](const absl::Status& status) {
    if (status.ok()) {
      ++*sent;
    } else {
      last = status;
    }
  };
  bool multicast6 = false;
  for (const InterfaceAddress& address : interface.addresses) {
    if (address.ipv6) {
      multicast6 = multicast6 || interface.loopback || absl::StartsWith(address.address, "fe80:");
      continue;
    }
    if (!address.broadcast.empty()) count(SendTo(Address4(Parse4(address.broadcast), port_), datagram));
    if (interface.multicast) count(Multicast4(interface, address, datagram));
  }
  if (multicast6 && interface.multicast && send6_ >= 0) count(Multicast6(interface, datagram));
  return last;
}

absl::Status UdpTransport::SendTo(const sockaddr_storage& to, std::string_view datagram) {
  const int fd = to.ss_family == AF_INET ? send4_ : send6_;
  if (fd < 0) return absl::UnavailableError("this machine has no IPv6");
  if (sendto(fd, datagram.data(), datagram.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), SizeOf(to)) <
      0) {
    return SocketError("sending a beacon");
  }
  return absl::OkStatus();
}

bool UdpTransport::ReceiveOne(int fd, const std::function<void(const ReceivedDatagram&)>& take) {
  // One byte more than a beacon may have tells a larger one from a full one.
  std::array<char, kBeaconBytesMax + 1> buffer;
  alignas(cmsghdr) std::array<char, 128> control;
  ReceivedDatagram datagram;
  iovec data{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_name = &datagram.from;
  message.msg_namelen = sizeof datagram.from;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
  // An asynchronous error (a peer's port was closed) is of no interest and is cleared by having been read.
  if (got < 0) return errno != EAGAIN && errno != EWOULDBLOCK;
  datagram.bytes = {buffer.data(), static_cast<size_t>(got)};
  datagram.truncated = (message.msg_flags & MSG_TRUNC) != 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(header), sizeof info);
      datagram.interface_index = info.ipi_ifindex;
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(header), sizeof info);
      datagram.interface_index = static_cast<int>(info.ipi6_ifindex);
    }
  }
  char text[INET6_ADDRSTRLEN] = "";
  if (datagram.from.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in&>(datagram.from).sin_addr, text, sizeof text);
    datagram.source = text;
  } else {
    const auto& from = reinterpret_cast<sockaddr_in6&>(datagram.from);
    inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof text);
    datagram.source = text;
    char zone[IF_NAMESIZE] = "";
    if (from.sin6_scope_id != 0 && if_indextoname(from.sin6_scope_id, zone) != nullptr) {
      datagram.source += absl::StrCat("%", zone);
    }
  }
  take(datagram);
  return true;
}

void UdpTransport::Receive(absl::Duration timeout, int batch_max,
                           const std::function<void(const ReceivedDatagram&)>& take) {
  const absl::Time deadline = absl::Now() + timeout;
  int left = batch_max;
  while (left > 0) {
    const int64_t wait_ms =
        std::max<int64_t>(0, absl::ToInt64Milliseconds(absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1))));
    std::array<pollfd, 5> entries = {
        {{wake_, POLLIN, 0}, {listen4_, POLLIN, 0}, {listen6_, POLLIN, 0}, {send4_, POLLIN, 0}, {send6_, POLLIN, 0}}};
    const int ready = poll(entries.data(), entries.size(), static_cast<int>(std::min<int64_t>(wait_ms, 60'000)));
    if (ready == 0 || (ready < 0 && errno != EINTR)) return;
    if (ready < 0) continue;
    if (entries[0].revents != 0) {
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t drained = read(wake_, &count, sizeof count);
      return;
    }
    for (size_t i = 1; i < entries.size(); ++i) {
      // Socket by socket, one datagram each: a flood on one does not starve the others.
      if (entries[i].revents != 0 && ReceiveOne(entries[i].fd, take)) --left;
    }
    if (absl::Now() >= deadline) return;
  }
}

void UdpTransport::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
}

}  // namespace enigma
