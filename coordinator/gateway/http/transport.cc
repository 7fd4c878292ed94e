#include "coordinator/gateway/http/transport.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

namespace enigma::coordinator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

auto Into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

class PlainTransport final : public HttpTransport {
 public:
  explicit PlainTransport(beast::tcp_stream stream) : stream_(std::move(stream)) {}

  beast::tcp_stream& lowest() override { return stream_; }
  asio::awaitable<void> Handshake(error_code&) override { co_return; }
  asio::awaitable<size_t> Read(asio::mutable_buffer into, error_code& error) override {
    return stream_.async_read_some(into, Into(error));
  }
  asio::awaitable<size_t> Write(Pieces pieces, error_code& error) override {
    return asio::async_write(stream_, pieces, Into(error));
  }
  asio::awaitable<void> Close(error_code& error) override {
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
    co_return;
  }

 private:
  beast::tcp_stream stream_;
};

class TlsTransport final : public HttpTransport {
 public:
  TlsTransport(beast::tcp_stream stream, asio::ssl::context& context) : stream_(std::move(stream), context) {}

  beast::tcp_stream& lowest() override { return stream_.next_layer(); }
  asio::awaitable<void> Handshake(error_code& error) override {
    return stream_.async_handshake(asio::ssl::stream_base::server, Into(error));
  }
  asio::awaitable<size_t> Read(asio::mutable_buffer into, error_code& error) override {
    return stream_.async_read_some(into, Into(error));
  }
  asio::awaitable<size_t> Write(Pieces pieces, error_code& error) override {
    return asio::async_write(stream_, pieces, Into(error));
  }
  asio::awaitable<void> Close(error_code& error) override {
    co_await stream_.async_shutdown(Into(error));
    lowest().socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  }

 private:
  beast::ssl_stream<beast::tcp_stream> stream_;
};

}  // namespace

std::unique_ptr<HttpTransport> MakePlainTransport(beast::tcp_stream stream) {
  return std::make_unique<PlainTransport>(std::move(stream));
}

std::unique_ptr<HttpTransport> MakeTlsTransport(beast::tcp_stream stream, asio::ssl::context& context) {
  return std::make_unique<TlsTransport>(std::move(stream), context);
}

}  // namespace enigma::coordinator
