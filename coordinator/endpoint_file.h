#pragma once

#include <string>

#include <absl/status/status.h>

namespace enigma::coordinator {

// What a command on this machine needs to reach a running coordinator.
struct EndpointRecord {
  std::string grpc;
  std::string http;
  std::string cluster_id;
  bool insecure = false;
};

// Writes <data_dir>/endpoint.json, whole or not at all.
absl::Status WriteEndpointFile(const std::string& data_dir, const EndpointRecord& record);
void RemoveEndpointFile(const std::string& data_dir);

}  // namespace enigma::coordinator
