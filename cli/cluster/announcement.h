#pragma once

#include <string>

#include <absl/status/statusor.h>

namespace enigma::cli {

// Where a coordinator listens, as it says in <data-dir>/endpoint.json while it runs. Addresses are HOST:PORT, of this
// machine where it listens on all of them.
struct Announcement {
  std::string grpc;
  std::string http;         // empty where the file does not say
  bool https = false;       // whether `http` speaks TLS
  std::string public_grpc;  // over TLS, for clients with an API key; empty: none
  // Files of PEM with the certificate of these two and its key; empty: no TLS, or the cluster's own CA signed for it.
  std::string tls_chain_path;
  std::string tls_key_path;
  bool insecure = false;

  // "https://127.0.0.1:8443/v1": what programs written for OpenAI's API call the base URL. Empty without `http`.
  [[nodiscard]] std::string ApiUrl() const;
};

// Also reads what earlier versions wrote, which told less. NOT_FOUND where no coordinator has run; errors name the file
// and what to do.
absl::StatusOr<Announcement> ReadAnnouncement(const std::string& data_dir);

}  // namespace enigma::cli
