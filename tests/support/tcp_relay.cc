#include "tests/support/tcp_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace enigma::testing {
namespace {

constexpr int kLookEveryMs = 20;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

void SendAtOnce(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Passes on what is there; false when the connection has ended.
bool PassOn(int from, int to) {
  char buffer[64 << 10];
  const ssize_t got = recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t now = send(to, buffer + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += now;
  }
  return true;
}

// A close that the other end sees as a reset.
void CloseHard(int fd) {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close(fd);
}

}  // namespace

std::unique_ptr<TcpRelay> TcpRelay::Start(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (listener < 0 || bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 16) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return nullptr;
  }
  std::unique_ptr<TcpRelay> relay(new TcpRelay(listener, ntohs(address.sin_port), port));
  relay->thread_ = std::thread([raw = relay.get()] { raw->Run(); });
  return relay;
}

TcpRelay::~TcpRelay() {
  stopping_ = true;
  thread_.join();
  Reset();
  close(listener_);
}

void TcpRelay::Run() {
  while (!stopping_) {
    if (broken_) Reset();
    std::vector<pollfd> polled;
    if (!broken_) polled.push_back({.fd = listener_, .events = POLLIN, .revents = 0});
    const size_t first = polled.size();
    if (!frozen_) {
      for (const Connection& connection : connections_) {
        polled.push_back({.fd = connection.client, .events = POLLIN, .revents = 0});
        polled.push_back({.fd = connection.server, .events = POLLIN, .revents = 0});
      }
    }
    if (poll(polled.data(), polled.size(), kLookEveryMs) <= 0 || broken_ || frozen_) continue;
    std::vector<Connection> kept;
    for (size_t i = first; i < polled.size(); i += 2) {
      const Connection connection{.client = polled[i].fd, .server = polled[i + 1].fd};
      const bool lives = (polled[i].revents == 0 || PassOn(connection.client, connection.server)) &&
                         (polled[i + 1].revents == 0 || PassOn(connection.server, connection.client));
      if (lives) {
        kept.push_back(connection);
      } else {
        close(connection.client);
        close(connection.server);
      }
    }
    connections_ = std::move(kept);
    if (first > 0 && polled[0].revents != 0) Accept();
  }
}

void TcpRelay::Accept() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(target_);
  if (server < 0 || connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(client);
    if (server >= 0) close(server);
    return;
  }
  SendAtOnce(client);
  SendAtOnce(server);
  connections_.push_back({.client = client, .server = server});
}

void TcpRelay::Reset() {
  for (const Connection& connection : connections_) {
    CloseHard(connection.client);
    CloseHard(connection.server);
  }
  connections_.clear();
}

}  // namespace enigma::testing
