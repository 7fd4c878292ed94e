#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "coordinator/gateway/http/exchange.h"
#include "rpc/server_certificate.h"

namespace enigma::coordinator {

// An HTTP/1.1 server: every connection a coroutine, so that thousands of idle streams cost no threads. Requests of one
// connection are answered in their order.
class HttpServer {
 public:
  struct Options {
    std::string host = "127.0.0.1";
    int port = 8080;  // 0 picks a free one
    int threads = 2;
    std::optional<ServerCertificate> certificate = std::nullopt;  // empty: no TLS
    // Asked every few seconds: another certificate that new connections are to be shown, if there is one. May be null.
    std::function<std::optional<ServerCertificate>()> renewed_certificate = nullptr;
    absl::Duration renewal_every = absl::Seconds(5);
    uint32_t header_bytes_max = 32 * 1024;
    uint64_t body_bytes_max = uint64_t{16} << 20;
    size_t body_bytes_free = 16 * 1024;                  // of a body; what goes beyond counts for bodies_bytes_max,
    size_t bodies_bytes_max = size_t{256} << 20;         // which all connections share
    absl::Duration request_timeout = absl::Seconds(30);  // for a whole request, from its first byte
    absl::Duration idle_timeout = absl::Seconds(75);     // between two requests
    absl::Duration write_timeout = absl::Seconds(60);    // for a client that does not read
    size_t connections_max = 16384;  // fewer where the process may not open so many files; more are closed at once
  };

  // A busy port is an error that names it. The handler is called on the server's threads and must not block.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Options& options, HttpHandler handler);
  virtual ~HttpServer() = default;  // stops

  // Takes no new connection, lets running exchanges end for as long as told, then ends the rest. Idempotent.
  virtual void Stop(absl::Duration grace) = 0;

  virtual int port() const = 0;
  virtual size_t connections() const = 0;
};

}  // namespace enigma::coordinator
