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

// The connections that are open. Thread-safe.
class HttpConnections {
 public:
  // False when there are too many, or the server stops.
  bool Add(HttpConnection* connection, size_t most);
  void Remove(HttpConnection* connection);
  size_t size() const;
  void Refuse();  // from now on
  void EndSoon();
  void EndNow();
  bool AwaitNone(absl::Duration timeout);

 private:
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
