#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/doctor/port_checks.h"
#include "cli/doctor/port_holder.h"

namespace enigma::cli {
namespace {

// A port taken as the daemons take theirs: beacons with SO_REUSEPORT, TCP on loopback.
class TakenPort {
 public:
  explicit TakenPort(bool udp) : fd_(::socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (udp) ::setsockopt(fd_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(udp ? INADDR_ANY : INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    if (!udp) {
      EXPECT_EQ(::listen(fd_, 1), 0);
    }
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~TakenPort() { Free(); }
  void Free() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  uint16_t port() const { return port_; }

 private:
  int fd_;
  uint16_t port_ = 0;
};

TEST(PortChecksTest, ATakenPortIsSeenAndItsHolderNamed) {
  for (const bool udp : {true, false}) {
    TakenPort taken(udp);
    EXPECT_EQ(ProbePort(taken.port(), udp), PortState::kInUse) << (udp ? "UDP" : "TCP");
    const auto holder = FindPortHolder(taken.port(), udp);
    ASSERT_TRUE(holder.has_value()) << (udp ? "UDP" : "TCP");
    EXPECT_EQ(holder->pid, ::getpid());
    EXPECT_NE(holder->program, "");
    taken.Free();
    EXPECT_EQ(ProbePort(taken.port(), udp), PortState::kFree);
    EXPECT_FALSE(FindPortHolder(taken.port(), udp).has_value());
  }
}

}  // namespace
}  // namespace enigma::cli
