#include "engine/collective/local_address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace enigma::engine {
namespace {

bool IsLoopback(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24) == 127;
  }
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

bool CanBind(const addrinfo& info) {
  const int socket = ::socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const bool bound = ::bind(socket, info.ai_addr, info.ai_addrlen) == 0;
  ::close(socket);
  return bound;
}

std::string Numeric(const addrinfo& info) {
  char text[NI_MAXHOST] = {};
  const int failed = ::getnameinfo(info.ai_addr, info.ai_addrlen, text, sizeof(text), nullptr, 0, NI_NUMERICHOST);
  return failed == 0 ? text : "";
}

}  // namespace

absl::StatusOr<std::string> LocalAddress(const std::vector<std::string>& hosts) {
  std::string loopback;
  for (const std::string& host : hosts) {
    addrinfo hints = {};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) continue;
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
    for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
      if (!CanBind(*info)) continue;
      const std::string address = Numeric(*info);
      if (address.empty()) continue;
      if (!IsLoopback(*info->ai_addr)) return address;
      if (loopback.empty()) loopback = address;
    }
  }
  if (!loopback.empty()) return loopback;
  return absl::FailedPreconditionError(absl::StrCat("none of the addresses by which others know this machine (",
                                                    absl::StrJoin(hosts, ", "), ") is its own"));
}

}  // namespace enigma::engine
