#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/time/time.h>
#include <boost/asio/awaitable.hpp>

namespace enigma::coordinator {

// One request as the routes see it. Bounded in size by the server.
struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // without the query, percent-decoded
  std::string query;   // behind '?', as sent
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string peer_host;  // "127.0.0.1"
  bool from_this_machine = false;

  // The first header of that name, whatever its case; empty when there is none.
  std::string_view Header(std::string_view name) const;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "application/json";  // empty: there is no content
  std::string body;
  HttpHeaders headers;
  bool close = false;  // the connection ends with this answer
};

// A request and the way to answer it: whole, or as a stream of server-sent events. Everything but Waker belongs to the
// connection's own strand, on which handlers run.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;

  virtual const HttpRequest& request() const = 0;
  // The request's body, which is empty from then on.
  virtual std::string TakeBody() = 0;

  // Goes with the answer, whatever it is.
  virtual void AddHeaders(HttpHeaders headers) = 0;

  // Answers whole. One of Reply and StartEvents is to be called, once.
  virtual boost::asio::awaitable<void> Reply(HttpReply reply) = 0;

  virtual boost::asio::awaitable<void> StartEvents(HttpHeaders headers) = 0;
  // `bytes` are whole events ("data: ...\n\n") or comments. Waits while the client reads slowly; false when it is gone.
  virtual boost::asio::awaitable<bool> SendEvents(std::string bytes) = 0;
  virtual boost::asio::awaitable<void> EndEvents() = 0;
  virtual bool answered() const = 0;  // Reply or StartEvents was called

  // The client closed its connection, or the server stops.
  virtual bool gone() const = 0;
  // Until woken, until the client is gone, or until time is up.
  virtual boost::asio::awaitable<void> Wait(absl::Duration timeout) = 0;
  // Wakes the current Wait, or the next one. The function may be called on any thread and may outlive the exchange.
  virtual std::function<void()> Waker() = 0;
};

using HttpHandler = std::function<boost::asio::awaitable<void>(HttpExchange&)>;

}  // namespace enigma::coordinator
