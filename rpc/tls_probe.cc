#include "rpc/tls_probe.h"

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <openssl/err.h>

#include "base/status_macros.h"

namespace enigma {
namespace {

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

// OpenSSL writes without MSG_NOSIGNAL, so that a server which has closed already would end this process. While this
// stands, the writing thread is not told; what was raised meanwhile is taken back.
class NoBrokenPipeSignal {
 public:
  NoBrokenPipeSignal() {
    sigemptyset(&broken_pipe_);
    sigaddset(&broken_pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &broken_pipe_, &before_);
  }
  NoBrokenPipeSignal(const NoBrokenPipeSignal&) = delete;
  NoBrokenPipeSignal& operator=(const NoBrokenPipeSignal&) = delete;
  ~NoBrokenPipeSignal() {
    const timespec at_once{};
    while (!was_pending_ && sigtimedwait(&broken_pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t broken_pipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

// Waits for `events`; false when `deadline` passes first.
bool WaitFor(int fd, short events, absl::Time deadline) {
  for (;;) {
    const auto left = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left <= 0) return false;
    pollfd entry{fd, events, 0};
    const int ready = poll(&entry, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// 0, or the errno of the attempt.
int ConnectOne(int fd, const addrinfo& address, absl::Time deadline) {
  if (connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!WaitFor(fd, POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

absl::StatusOr<Socket> Connect(const Endpoint& endpoint, absl::Duration timeout, absl::Time deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &list);
      error != 0) {
    return absl::UnavailableError(absl::StrCat("cannot resolve ", endpoint.host, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, OpenSslDeleter<freeaddrinfo>> owner(list);
  int error = ECONNREFUSED;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    Socket candidate(socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (candidate.get() < 0) {
      error = errno;
      continue;
    }
    error = ConnectOne(candidate.get(), *at, deadline);
    if (error == 0) return candidate;
  }
  std::string advice;
  if (error == ECONNREFUSED) advice = "; is the program running there, and is that its port?";
  if (error == ETIMEDOUT) advice = absl::StrCat(" (", absl::FormatDuration(timeout), "); is a firewall in between?");
  return absl::UnavailableError(
      absl::StrCat("cannot connect to ", endpoint.ToText(), ": ", std::strerror(error), advice));
}

absl::Status HandshakeError(const Endpoint& endpoint) {
  const unsigned long code = ERR_peek_error();
  const bool plain = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER;
  const absl::Status reason = OpenSslError("TLS");
  if (plain || code == 0) {
    return absl::UnavailableError(absl::StrCat("the server at ", endpoint.ToText(),
                                               " does not speak TLS: is it running with --insecure, or is it another "
                                               "program?"));
  }
  return absl::UnavailableError(absl::StrCat("the server at ", endpoint.ToText(), ": ", reason.message()));
}

}  // namespace

absl::Status ProbeTcp(const Endpoint& endpoint, absl::Duration timeout) {
  return Connect(endpoint, timeout, absl::Now() + timeout).status();
}

absl::StatusOr<std::vector<X509Ptr>> FetchServerChain(const Endpoint& endpoint, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  ENIGMA_ASSIGN_OR_RETURN(const Socket connection, Connect(endpoint, timeout, deadline));
  const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return OpenSslError("setting up TLS");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  const SslPtr tls(SSL_new(context.get()));
  static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  if (tls == nullptr || SSL_set_fd(tls.get(), connection.get()) != 1 ||
      SSL_set_alpn_protos(tls.get(), kHttp2, sizeof kHttp2) != 0) {
    return OpenSslError("setting up TLS");
  }
  const NoBrokenPipeSignal quiet;
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(tls.get());
    if (result == 1) break;
    const int error = SSL_get_error(tls.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return HandshakeError(endpoint);
    if (!WaitFor(connection.get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) {
      return absl::UnavailableError(absl::StrCat("the server at ", endpoint.ToText(),
                                                 " accepts connections but did not "
                                                 "answer TLS within ",
                                                 absl::FormatDuration(timeout)));
    }
  }
  STACK_OF(X509)* shown = SSL_get_peer_cert_chain(tls.get());
  std::vector<X509Ptr> chain;
  for (int i = 0; shown != nullptr && i < sk_X509_num(shown); ++i) {
    X509* certificate = sk_X509_value(shown, i);
    X509_up_ref(certificate);
    chain.emplace_back(certificate);
  }
  if (chain.empty())
    return absl::UnavailableError(absl::StrCat("the server at ", endpoint.ToText(), " shows no certificate"));
  return chain;
}

}  // namespace enigma
