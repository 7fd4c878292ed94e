#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <utility>  // for Boost 1.74, which forgets it

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include "coordinator/gateway/http/http_server.h"

namespace enigma::coordinator {

// A connection as the server sees it.
class HttpConnection {
 public:
  virtual ~HttpConnection() = default;
  // Ends it: after the exchange that runs, or at once. Thread-safe.
  virtual void EndSoon() = 0;
  virtual void EndNow() = 0;
};

// Bytes that many connections share. Thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(size_t bytes) : left_(bytes) {}
  [[nodiscard]] bool TryTake(size_t bytes) {
    size_t left = left_.load();
    while (bytes <= left) {
      if (left_.compare_exchange_weak(left, left - bytes)) return true;
    }
    return false;
  }
  void Give(size_t bytes) { left_ += bytes; }
  size_t left() const { return left_; }

 private:
  std::atomic<size_t> left_;
};

// The connections that are open. Thread-safe.
class HttpConnections {
 public:
  // `body_bytes_max`: what the bodies of their requests may have together.
  explicit HttpConnections(size_t body_bytes_max) : bodies_(body_bytes_max) {}

  // False when there are too many, or the server stops.
  bool Add(HttpConnection* connection, size_t most);
  void Remove(HttpConnection* connection);
  size_t size() const;
  void Refuse();  // from now on
  void EndSoon();
  void EndNow();
  bool AwaitNone(absl::Duration timeout);
  ByteBudget& bodies() { return bodies_; }

 private:
  ByteBudget bodies_;
  mutable absl::Mutex mutex_;
  std::set<HttpConnection*> open_ ABSL_GUARDED_BY(mutex_);
  bool refusing_ ABSL_GUARDED_BY(mutex_) = false;
};

// Serves one connection until it ends. `context` is null without TLS, and needed only until this returns. All other
// arguments outlive the coroutine.
boost::asio::awaitable<void> ServeConnection(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context* context,
                                             const HttpServer::Options& options, const HttpHandler& handler,
                                             HttpConnections& connections);

}  // namespace enigma::coordinator
