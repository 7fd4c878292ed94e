#pragma once

#include <array>
#include <memory>
#include <utility>  // for Boost 1.74, which forgets it

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/tcp_stream.hpp>

namespace enigma::coordinator {

// The bytes of a connection, in plain text or under TLS. A virtual call stands here so that all that is built on it is
// compiled once, not for every kind of stream. Belongs to one strand; errors are told in `error`.
class HttpTransport {
 public:
  // Written one after the other; those not needed are empty.
  using Pieces = std::array<boost::asio::const_buffer, 3>;

  virtual ~HttpTransport() = default;
  virtual boost::beast::tcp_stream& lowest() = 0;
  virtual boost::asio::awaitable<void> Handshake(boost::system::error_code& error) = 0;
  virtual boost::asio::awaitable<size_t> Read(boost::asio::mutable_buffer into, boost::system::error_code& error) = 0;
  virtual boost::asio::awaitable<size_t> Write(Pieces pieces, boost::system::error_code& error) = 0;
  // Says that nothing more will be written.
  virtual boost::asio::awaitable<void> Close(boost::system::error_code& error) = 0;
};

std::unique_ptr<HttpTransport> MakePlainTransport(boost::beast::tcp_stream stream);
// `context` is needed only until this returns.
std::unique_ptr<HttpTransport> MakeTlsTransport(boost::beast::tcp_stream stream, boost::asio::ssl::context& context);

}  // namespace enigma::coordinator
