#include "rpc/tls_probe.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include <gtest/gtest.h>

namespace enigma {
namespace {

// Takes connections on loopback and closes each at once.
class ClosingServer {
 public:
  ClosingServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int fd = accept(listener_, nullptr, nullptr); fd >= 0; fd = accept(listener_, nullptr, nullptr)) close(fd);
    });
  }
  ~ClosingServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  [[nodiscard]] int port() const { return port_; }

 private:
  const int listener_;
  int port_ = 0;
  std::thread thread_;
};

TEST(TlsProbeTest, AServerThatClosesAtOnceIsAnErrorAndNoSignal) {
  const ClosingServer server;
  // Whether the close comes before the write is a matter of luck.
  for (int i = 0; i < 50; ++i) {
    const auto chain = FetchServerChain({"127.0.0.1", server.port()}, absl::Seconds(5));
    EXPECT_TRUE(absl::IsUnavailable(chain.status())) << chain.status();
  }
  sigset_t signals;
  ASSERT_EQ(sigpending(&signals), 0);
  EXPECT_EQ(sigismember(&signals, SIGPIPE), 0);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, nullptr, &signals), 0);
  EXPECT_EQ(sigismember(&signals, SIGPIPE), 0) << "it is still blocked";
}

}  // namespace
}  // namespace enigma
