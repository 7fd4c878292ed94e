#include "coordinator/gateway/http/http_server.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/gateway/http/connection.h"
#include "rpc/endpoint.h"
#include "telemetry/log.h"

namespace enigma::coordinator {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

std::string_view HttpRequest::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, ToAbsl(name))) return value;
  }
  return {};
}

namespace {

// More would leave no descriptor for the nodes of the cluster, for files, and for the connection that asks why.
size_t ConnectionsThatFit(size_t wanted) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  return std::min<size_t>(wanted, files.rlim_cur / 4 * 3);
}

class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(const Options& options, HttpHandler handler)
      : options_(Fitted(options)),
        handler_(std::move(handler)),
        connections_(options.bodies_bytes_max),
        context_(options.threads),
        acceptor_(asio::make_strand(context_)) {}
  ~HttpServerImpl() override { HttpServerImpl::Stop(absl::ZeroDuration()); }

  absl::Status Start();
  void Stop(absl::Duration grace) override;
  int port() const override { return port_; }
  size_t connections() const override { return connections_.size(); }

 private:
  static Options Fitted(Options options) {
    options.connections_max = ConnectionsThatFit(options.connections_max);
    return options;
  }
  asio::awaitable<void> Accept();
  asio::awaitable<void> WatchCertificate();

  const Options options_;
  const HttpHandler handler_;
  HttpConnections connections_;
  asio::io_context context_;
  tcp::acceptor acceptor_;                   // on a strand of its own: it is closed from outside of Accept
  std::unique_ptr<asio::ssl::context> tls_;  // null: no TLS; the acceptor's strand replaces it
  int port_ = 0;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopped_{false};
};

absl::StatusOr<std::unique_ptr<asio::ssl::context>> MakeTlsContext(const ServerCertificate& certificate) {
  auto tls = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  tls->set_options(
      asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
  tls->use_certificate_chain(asio::buffer(certificate.chain_pem), error);
  if (error) return absl::InvalidArgumentError(absl::StrCat("the HTTP certificate: ", error.message()));
  tls->use_private_key(asio::buffer(certificate.private_key_pem), asio::ssl::context::pem, error);
  if (error) return absl::InvalidArgumentError(absl::StrCat("the HTTP private key: ", error.message()));
  return tls;
}

absl::Status HttpServerImpl::Start() {
  const std::string where = Endpoint{options_.host, options_.port}.ToText();
  if (options_.certificate) {
    ENIGMA_ASSIGN_OR_RETURN(tls_, MakeTlsContext(*options_.certificate));
  }
  error_code error;
  tcp::resolver resolver(context_);
  const auto found = resolver.resolve(options_.host, std::to_string(options_.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot serve HTTP on ", where, ": ", error.message()));
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(4096, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot serve HTTP on ", where, ": ", error.message(),
                                               "; choose another port, or end what uses this one"));
  }
  port_ = acceptor_.local_endpoint().port();
  asio::co_spawn(acceptor_.get_executor(), Accept(), asio::detached);
  if (tls_ != nullptr && options_.renewed_certificate) {
    asio::co_spawn(acceptor_.get_executor(), WatchCertificate(), asio::detached);
  }
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { context_.run(); });
  return absl::OkStatus();
}

asio::awaitable<void> HttpServerImpl::Accept() {
  while (acceptor_.is_open()) {
    error_code error;
    tcp::socket socket(asio::make_strand(context_));
    co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
      const auto executor = socket.get_executor();
      asio::co_spawn(executor, ServeConnection(std::move(socket), tls_.get(), options_, handler_, connections_),
                     asio::detached);
    } else if (error != asio::error::operation_aborted && error != asio::error::connection_aborted) {
      // Out of descriptors, as a rule: those that end free some.
      LogWarn("cannot take an HTTP connection: {}", error.message());
      asio::steady_timer pause(acceptor_.get_executor(), std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }
}

asio::awaitable<void> HttpServerImpl::WatchCertificate() {
  asio::steady_timer pause(acceptor_.get_executor());
  while (acceptor_.is_open()) {
    error_code ignored;
    pause.expires_after(absl::ToChronoNanoseconds(options_.renewal_every));
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const std::optional<ServerCertificate> renewed = options_.renewed_certificate();
    if (!renewed) continue;
    absl::StatusOr<std::unique_ptr<asio::ssl::context>> tls = MakeTlsContext(*renewed);
    if (tls.ok()) {
      tls_ = *std::move(tls);  // connections that are open hold on to what they were made with
    } else {
      LogWarn("{}; new connections are still shown the certificate before", Describe(tls.status()));
    }
  }
}

void HttpServerImpl::Stop(absl::Duration grace) {
  if (stopped_.exchange(true)) return;
  asio::post(acceptor_.get_executor(), [this] {
    error_code ignored;
    acceptor_.close(ignored);
  });
  connections_.Refuse();
  connections_.EndSoon();
  if (!connections_.AwaitNone(grace)) {
    connections_.EndNow();
    if (!connections_.AwaitNone(absl::Seconds(2))) LogWarn("{} HTTP connections did not end", connections_.size());
  }
  context_.stop();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Options& options, HttpHandler handler) {
  auto server = std::make_unique<HttpServerImpl>(options, std::move(handler));
  if (const absl::Status started = server->Start(); !started.ok()) return started;
  return server;
}

}  // namespace enigma::coordinator
