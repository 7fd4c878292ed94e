#pragma once

#include <memory>
#include <string>

namespace enigma::coordinator::testing {

// A TLS connection to 127.0.0.1 as a client of the world makes it: it trusts `ca_pem` and insists that the server is
// `host`.
class HttpsClient {
 public:
  HttpsClient(int port, const std::string& ca_pem, const std::string& host);
  ~HttpsClient();

  const std::string& error() const { return error_; }  // why there is no connection; empty: there is one
  std::string issuer() const;                          // common name of who signed the server's certificate
  void Send(const std::string& bytes);
  std::string ReadToEnd();
  // GET with "Connection: close": everything that comes, headers too; empty when it did not work.
  std::string Get(const std::string& path);
  void Close();  // with TLS's farewell, then the socket

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::string error_;
};

}  // namespace enigma::coordinator::testing
