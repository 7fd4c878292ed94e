#include "tests/unit/coordinator/https_client.h"

#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

namespace enigma::coordinator::testing {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

struct HttpsClient::Parts {
  asio::io_context context;
  asio::ssl::context tls{asio::ssl::context::tls_client};
  // A stream takes what the context says when it is made.
  std::optional<asio::ssl::stream<tcp::socket>> stream;
};

HttpsClient::HttpsClient(int port, const std::string& ca_pem, const std::string& host)
    : parts_(std::make_unique<Parts>()) {
  error_code error;
  parts_->tls.add_certificate_authority(asio::buffer(ca_pem), error);
  parts_->stream.emplace(parts_->context, parts_->tls);
  parts_->stream->set_verify_mode(asio::ssl::verify_peer, error);
  parts_->stream->set_verify_callback(asio::ssl::host_name_verification(host), error);
  parts_->stream->next_layer().connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)}, error);
  if (!error) parts_->stream->handshake(asio::ssl::stream_base::client, error);
  if (error) error_ = error.message();
}

HttpsClient::~HttpsClient() = default;

std::string HttpsClient::issuer() const {
  X509* certificate = SSL_get_peer_certificate(parts_->stream->native_handle());
  if (certificate == nullptr) return "";
  char name[128] = {};
  X509_NAME_get_text_by_NID(X509_get_issuer_name(certificate), NID_commonName, name, sizeof name);
  X509_free(certificate);
  return name;
}

void HttpsClient::Send(const std::string& bytes) {
  error_code ignored;
  asio::write(*parts_->stream, asio::buffer(bytes), ignored);
}

std::string HttpsClient::ReadToEnd() {
  std::string text;
  error_code ended;
  asio::read(*parts_->stream, asio::dynamic_buffer(text), ended);
  return text;
}

std::string HttpsClient::Get(const std::string& path) {
  if (!error_.empty()) return "";
  Send("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  return ReadToEnd();
}

void HttpsClient::Close() {
  // Sends the farewell, and would wait for the server's: not with a socket that does not block.
  error_code ignored;
  parts_->stream->next_layer().non_blocking(true, ignored);
  parts_->stream->shutdown(ignored);
  parts_->stream->next_layer().close(ignored);
}

}  // namespace enigma::coordinator::testing
