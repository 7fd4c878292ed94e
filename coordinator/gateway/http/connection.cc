#include "coordinator/gateway/http/connection.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/ostream.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "base/text.h"
#include "coordinator/gateway/http/transport.h"
#include "coordinator/gateway/http/url.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr size_t kReadBytes = 64 * 1024;

auto Into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

// An error that the server itself answers, in the form that clients of the API expect.
HttpReply ServerError(unsigned status, std::string_view type, std::string_view message) {
  HttpReply reply;
  reply.status = status;
  // The messages are fixed sentences without characters that JSON would escape.
  reply.body = absl::StrCat(R"({"error":{"message":")", ToAbsl(message), R"(","type":")", ToAbsl(type),
                            R"(","param":null,"code":null}})");
  return reply;
}

using ResponseHead = http::response<http::empty_body>;
using RequestParser = http::request_parser<http::string_body>;

std::string Bytes(const ResponseHead& head) {
  std::ostringstream out;
  out << head.base();
  return std::move(out).str();
}

asio::const_buffer Piece(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

// What outlives a connection: wakers and the watch of the socket hold it weakly or on the strand.
struct WakeUp {
  explicit WakeUp(asio::any_io_executor executor) : timer(std::move(executor)) {}
  asio::steady_timer timer;
  bool woken = false;
  void Wake() {
    woken = true;
    timer.cancel();
  }
};

class Connection final : public HttpConnection, public HttpExchange, public std::enable_shared_from_this<Connection> {
 public:
  Connection(const HttpServer::Options& options, const HttpHandler& handler, ByteBudget& bodies,
             asio::any_io_executor executor, std::unique_ptr<HttpTransport> transport)
      : options_(options),
        handler_(handler),
        bodies_(bodies),
        executor_(executor),
        wake_(std::make_shared<WakeUp>(executor)),
        look_again_(executor),
        transport_(std::move(transport)) {}

  asio::awaitable<void> Serve() {
    error_code ignored;
    const auto peer = Socket().remote_endpoint(ignored);
    if (!ignored) {
      asio::ip::address address = peer.address();
      if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
      }
      request_.peer_host = address.to_string();
      request_.from_this_machine = address.is_loopback();
    }
    Socket().set_option(tcp::no_delay(true), ignored);
    if (!co_await Handshake()) co_return;
    while (!ending_ && co_await ServeOne()) {
    }
    ReturnBytes();
    co_await Close();
  }

  // HttpConnection.
  void EndSoon() override {
    asio::post(executor_, [self = shared_from_this()] {
      self->ending_ = true;
      if (!self->in_exchange_) self->Lowest().cancel();
    });
  }
  void EndNow() override {
    asio::post(executor_, [self = shared_from_this()] {
      self->ending_ = true;
      self->gone_ = true;
      self->Lowest().close();
      self->wake_->Wake();
    });
  }

  // HttpExchange.
  const HttpRequest& request() const override { return request_; }
  std::string TakeBody() override { return std::exchange(request_.body, std::string()); }
  bool answered() const override { return answered_; }
  bool gone() const override { return gone_; }

  void AddHeaders(HttpHeaders headers) override {
    added_.insert(added_.end(), std::make_move_iterator(headers.begin()), std::make_move_iterator(headers.end()));
  }

  asio::awaitable<void> Reply(HttpReply reply) override {
    answered_ = true;
    ResponseHead head(static_cast<http::status>(reply.status), version_);
    if (!reply.content_type.empty()) head.set(http::field::content_type, reply.content_type);
    for (const auto& [name, value] : reply.headers) head.set(name, value);
    for (const auto& [name, value] : added_) head.set(name, value);
    head.keep_alive(keep_alive_ && !ending_ && !reply.close);
    head.content_length(reply.body.size());
    keep_alive_ = head.keep_alive();
    if (head_) reply.body.clear();
    const std::string bytes = Bytes(head);
    co_await Write(bytes, reply.body);
  }

  asio::awaitable<void> StartEvents(HttpHeaders headers) override {
    answered_ = true;
    ResponseHead head(http::status::ok, version_);
    head.set(http::field::content_type, "text/event-stream; charset=utf-8");
    head.set(http::field::cache_control, "no-cache");
    head.set("X-Accel-Buffering", "no");  // proxies would hold events back
    for (const auto& [name, value] : headers) head.set(name, value);
    for (const auto& [name, value] : added_) head.set(name, value);
    head.keep_alive(keep_alive_ && !ending_);
    chunked_ = version_ >= 11;
    if (chunked_) {
      head.chunked(true);
    } else {
      head.keep_alive(false);  // the end of the connection is the end of the events
    }
    keep_alive_ = head.keep_alive();
    const std::string bytes = Bytes(head);
    co_await Write(bytes);
  }

  asio::awaitable<bool> SendEvents(std::string bytes) override {
    if (gone_) co_return false;
    if (bytes.empty()) co_return true;
    if (chunked_) {
      const std::string size = absl::StrFormat("%x\r\n", bytes.size());
      co_await Write(size, bytes, "\r\n");
    } else {
      co_await Write(bytes);
    }
    co_return !gone_;
  }

  asio::awaitable<void> EndEvents() override {
    if (!gone_ && chunked_) co_await Write("0\r\n\r\n");
  }

  asio::awaitable<void> Wait(absl::Duration timeout) override {
    if (!wake_->woken && !gone_) {
      error_code ignored;
      wake_->timer.expires_after(absl::ToChronoNanoseconds(std::min(timeout, absl::Hours(24))));
      co_await wake_->timer.async_wait(Into(ignored));
    }
    wake_->woken = false;
  }

  std::function<void()> Waker() override {
    return [weak = std::weak_ptr<WakeUp>(wake_), executor = executor_] {
      asio::post(executor, [weak] {
        if (const std::shared_ptr<WakeUp> wake = weak.lock()) wake->Wake();
      });
    };
  }

 private:
  beast::tcp_stream& Lowest() { return transport_->lowest(); }
  tcp::socket& Socket() { return Lowest().socket(); }

  // A client that takes too long is gone. What is written lives with the caller: GCC 12 destroys temporaries among the
  // arguments of a coroutine twice.
  asio::awaitable<void> Write(std::string_view head, std::string_view body = "", std::string_view tail = "") {
    error_code error;
    Lowest().expires_after(absl::ToChronoNanoseconds(options_.write_timeout));
    const HttpTransport::Pieces pieces = {Piece(head), Piece(body), Piece(tail)};
    co_await transport_->Write(pieces, error);
    if (error) gone_ = true;
  }

  asio::awaitable<bool> Handshake() {
    error_code error;
    Lowest().expires_after(absl::ToChronoNanoseconds(options_.request_timeout));
    co_await transport_->Handshake(error);
    if (SpeaksPlainHttp(error)) co_await RefusePlainHttp();
    co_return !error;
  }

  static bool SpeaksPlainHttp(error_code error) {
    return error.category() == asio::error::get_ssl_category() &&
           ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_HTTP_REQUEST;
  }

  // In plain text, which is all that this client can read.
  asio::awaitable<void> RefusePlainHttp() {
    transport_ = MakePlainTransport(std::move(Lowest()));
    keep_alive_ = false;
    HttpReply refusal =
        ServerError(400, "invalid_request_error", "this port speaks TLS: use https:// in place of http://");
    co_await Reply(std::move(refusal));
    error_code ignored;
    Lowest().expires_after(std::chrono::seconds(2));
    co_await transport_->Close(ignored);
    // What it has sent is read before the socket is closed, which would else be a reset that loses the answer.
    for (size_t bytes = 1; bytes > 0 && !ignored;) {
      bytes = co_await transport_->Read(buffer_.prepare(kReadBytes), ignored);
    }
  }

  asio::awaitable<void> Close() {
    error_code ignored;
    Lowest().expires_after(std::chrono::seconds(2));
    if (!gone_) co_await transport_->Close(ignored);
    if (unread_ && !gone_) co_await ReadToTheEnd();
    Lowest().close();
  }

  // Drops what the client still sends of a request that was refused half-read. A close with bytes unread would reset
  // the connection, and the client lose the answer that says why.
  asio::awaitable<void> ReadToTheEnd() {
    error_code error;
    Lowest().expires_after(absl::ToChronoNanoseconds(options_.request_timeout));
    buffer_.clear();
    while (!error && !ending_) co_await Lowest().async_read_some(buffer_.prepare(kReadBytes), Into(error));
  }

  // One request and its answer; false when the connection is to end.
  asio::awaitable<bool> ServeOne() {
    RequestParser parser;
    parser.header_limit(options_.header_bytes_max);
    parser.body_limit(options_.body_bytes_max);
    error_code error;
    if (buffer_.size() == 0) {
      // A connection may be idle for longer than a request may take.
      Lowest().expires_after(absl::ToChronoNanoseconds(options_.idle_timeout));
      buffer_.commit(co_await transport_->Read(buffer_.prepare(kReadBytes), error));
      if (error) co_return false;
    }
    Lowest().expires_after(absl::ToChronoNanoseconds(options_.request_timeout));
    while (!error && !parser.is_header_done()) co_await Parse(parser, error);
    if (!error) co_await MaybeContinue(parser, error);
    bool overloaded = false;
    parser.eager(true);
    while (!error && !overloaded && !parser.is_done()) {
      co_await Parse(parser, error);
      overloaded = !HoldBytes(parser.get().body().size());
    }
    version_ = 11;
    keep_alive_ = false;
    head_ = false;
    answered_ = false;
    added_.clear();
    if (error || overloaded) {
      unread_ = true;
      if (overloaded) {
        co_await RefuseOverload();
      } else {
        co_await RefuseMalformed(error);
      }
      co_return false;
    }
    if (!TakeRequest(parser)) {
      HttpReply refusal = ServerError(400, "invalid_request_error", "the request target is not a valid path");
      co_await Reply(std::move(refusal));
      co_return false;
    }
    in_exchange_ = true;
    if (buffer_.size() == 0) buffer_.shrink_to_fit();  // an answer may take long
    Watch();
    co_await Handle();
    in_exchange_ = false;
    look_again_.cancel();
    ReturnBytes();
    co_return keep_alive_ && !gone_;
  }

  // Takes what has come into the request; without any, reads more first.
  asio::awaitable<void> Parse(RequestParser& parser, error_code& error) {
    if (short_ || buffer_.size() == 0) {
      buffer_.commit(co_await transport_->Read(buffer_.prepare(kReadBytes), error));
      if (error == asio::error::eof) {
        error = http::error::end_of_stream;
        if (parser.got_some()) parser.put_eof(error);
      }
      if (error) co_return;
    }
    buffer_.consume(parser.put(buffer_.data(), error));
    short_ = error == http::error::need_more;
    if (short_) error = {};
  }

  asio::awaitable<void> MaybeContinue(RequestParser& parser, error_code& error) {
    if (!beast::iequals(parser.get()[http::field::expect], "100-continue")) co_return;
    const std::string go_on = Bytes(ResponseHead(http::status::continue_, 11));
    const HttpTransport::Pieces pieces = {Piece(go_on)};
    co_await transport_->Write(pieces, error);
  }

  bool TakeRequest(RequestParser& parser) {
    http::request<http::string_body> request = parser.release();
    version_ = request.version();
    keep_alive_ = request.keep_alive();
    head_ = request.method() == http::verb::head;
    request_.method = std::string(request.method_string());
    request_.headers.clear();
    for (const auto& field : request) {
      request_.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    request_.body = std::move(request.body());
    return SplitTarget(std::string_view(request.target().data(), request.target().size()), request_.path,
                       request_.query);
  }

  // Counts the body as it comes, beyond what every connection may have. False when all bodies together are too much.
  bool HoldBytes(size_t bytes) {
    const size_t wanted = bytes - std::min(bytes, options_.body_bytes_free);
    if (wanted <= held_bytes_) return true;
    if (!bodies_.TryTake(wanted - held_bytes_)) return false;
    held_bytes_ = wanted;
    return true;
  }

  void ReturnBytes() {
    request_.body = std::string();
    bodies_.Give(std::exchange(held_bytes_, 0));
  }

  asio::awaitable<void> RefuseOverload() {
    HttpReply refusal = ServerError(503, "service_unavailable_error",
                                    "the bodies of other requests fill what this server has for them; try again");
    refusal.headers = {{"Retry-After", "1"}, {"retry-after-ms", "1000"}};
    co_await Reply(std::move(refusal));
  }

  asio::awaitable<void> RefuseMalformed(error_code error) {
    HttpReply refusal;
    if (error == http::error::header_limit) {
      refusal = ServerError(431, "invalid_request_error", "the headers are too large");
    } else if (error == http::error::body_limit) {
      refusal = ServerError(413, "invalid_request_error",
                            absl::StrCat("the body is larger than ", options_.body_bytes_max, " bytes"));
    } else if (error.category() == http::make_error_code(http::error::bad_method).category() &&
               error != http::error::end_of_stream && error != http::error::partial_message) {
      refusal = ServerError(400, "invalid_request_error", "the request is not valid HTTP");
    } else {
      co_return;  // the client is gone, or was too slow
    }
    co_await Reply(std::move(refusal));
  }

  asio::awaitable<void> Handle() {
    std::string failure;
    try {
      co_await handler_(*this);
    } catch (const std::exception& exception) {
      failure = exception.what();
    }
    if (failure.empty()) co_return;
    LogError("a request for {} failed: {}", request_.path, failure);
    keep_alive_ = false;
    if (!answered_ && !gone_) {
      HttpReply refusal = ServerError(500, "server_error", "the request failed inside the server; its log says more");
      co_await Reply(std::move(refusal));
    }
  }

  // Notices a client that closes while its answer is being made. Data instead is the next request, which waits.
  void Watch() {
    if (watching_) return;
    watching_ = true;
    Socket().async_wait(tcp::socket::wait_read,
                        asio::bind_executor(executor_, [self = shared_from_this()](error_code error) {
                          self->watching_ = false;
                          if (!error) self->LookForClose(std::chrono::milliseconds(50));
                        }));
  }

  // Bytes that wait unread may be the next request, or what TLS says before it closes: whether a close stands behind
  // them is looked at again and again.
  void LookForClose(std::chrono::milliseconds pause) {
    if (!in_exchange_) return;
    pollfd peer{.fd = Socket().native_handle(), .events = POLLRDHUP, .revents = 0};
    if (::poll(&peer, 1, 0) > 0) {
      gone_ = true;
      wake_->Wake();
      return;
    }
    look_again_.expires_after(pause);
    look_again_.async_wait(asio::bind_executor(executor_, [self = shared_from_this(), pause](error_code error) {
      if (!error) self->LookForClose(std::min(2 * pause, std::chrono::milliseconds(1000)));
    }));
  }

  const HttpServer::Options& options_;
  const HttpHandler& handler_;
  ByteBudget& bodies_;
  const asio::any_io_executor executor_;
  const std::shared_ptr<WakeUp> wake_;
  asio::steady_timer look_again_;
  std::unique_ptr<HttpTransport> transport_;
  beast::flat_buffer buffer_;
  HttpRequest request_;
  HttpHeaders added_;
  unsigned version_ = 11;
  bool keep_alive_ = false;
  bool head_ = false;
  bool chunked_ = false;
  bool answered_ = false;
  bool in_exchange_ = false;
  bool watching_ = false;
  bool gone_ = false;
  bool ending_ = false;
  bool short_ = false;     // what buffer_ holds of a request says nothing before more of it comes
  bool unread_ = false;    // the last request was refused before all of it was read
  size_t held_bytes_ = 0;  // of bodies_
};

asio::awaitable<void> Run(std::shared_ptr<Connection> connection, const HttpServer::Options& options,
                          HttpConnections& connections) {
  if (!connections.Add(connection.get(), options.connections_max)) co_return;
  co_await connection->Serve();
  connections.Remove(connection.get());
}

}  // namespace

asio::awaitable<void> ServeConnection(tcp::socket socket, asio::ssl::context* context,
                                      const HttpServer::Options& options, const HttpHandler& handler,
                                      HttpConnections& connections) {
  const asio::any_io_executor executor = socket.get_executor();
  beast::tcp_stream stream(std::move(socket));
  std::unique_ptr<HttpTransport> transport =
      context == nullptr ? MakePlainTransport(std::move(stream)) : MakeTlsTransport(std::move(stream), *context);
  return Run(std::make_shared<Connection>(options, handler, connections.bodies(), executor, std::move(transport)),
             options, connections);
}

}  // namespace enigma::coordinator
