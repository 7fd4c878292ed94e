#include "worker/capability/host_turn.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "base/clock.h"

namespace enigma::worker {
namespace {

constexpr absl::Duration kAskEvery = absl::Milliseconds(10);

// A name in the abstract space of UNIX sockets: it is no file, needs no right and ends with its process. -1: taken.
int BindName(std::string_view name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (name.size() + 1 > sizeof(address.sun_path)) return -1;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), length) == 0) return socket;
  ::close(socket);
  return -1;
}

}  // namespace

HostTurn HostTurn::Await(std::string_view name, absl::Duration patience, const absl::Notification& over) {
  const Clock& clock = Clock::System();
  const absl::Duration end = clock.Monotonic() + patience;
  int socket = BindName(name);
  while (socket < 0 && clock.Monotonic() < end && !over.WaitForNotificationWithTimeout(kAskEvery)) {
    socket = BindName(name);
  }
  return HostTurn(socket);
}

HostTurn::HostTurn(HostTurn&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}

HostTurn::~HostTurn() {
  if (socket_ >= 0) ::close(socket_);
}

}  // namespace enigma::worker
