#pragma once

#include <string>

#include <absl/status/status.h>

namespace enigma::coordinator {

// What a command on this machine needs to reach a running coordinator.
struct EndpointRecord {
  std::string grpc;
  std::string http;
  bool https = false;       // whether `http` speaks TLS
  std::string public_grpc;  // for gRPC clients with an API key; empty: none
  // Files of PEM behind TLS, absolute; empty where there is no TLS, or the cluster's CA signed for it.
  std::string tls_chain_path;
  std::string tls_key_path;
  std::string cluster_id;
  bool insecure = false;
};

// Writes <data_dir>/endpoint.json, whole or not at all: an object with "grpc", "http", "http_scheme" ("http" or
// "https"), "cluster_id", "pid", "insecure" and, where they are not empty, "public_grpc", "tls_cert" and "tls_key".
absl::Status WriteEndpointFile(const std::string& data_dir, const EndpointRecord& record);
void RemoveEndpointFile(const std::string& data_dir);

}  // namespace enigma::coordinator
