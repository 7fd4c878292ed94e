#include "coordinator/endpoint_file.h"

#include <unistd.h>

#include <filesystem>

#include <nlohmann/json.hpp>

#include "rpc/private_file.h"

namespace enigma::coordinator {
namespace {

std::string PathIn(const std::string& data_dir) { return data_dir + "/endpoint.json"; }

}  // namespace

absl::Status WriteEndpointFile(const std::string& data_dir, const EndpointRecord& record) {
  const nlohmann::json json{{"grpc", record.grpc},
                            {"http", record.http},
                            {"cluster_id", record.cluster_id},
                            {"pid", getpid()},
                            {"insecure", record.insecure}};
  return WritePrivateFile(PathIn(data_dir), json.dump() + "\n");
}

void RemoveEndpointFile(const std::string& data_dir) {
  std::error_code ignored;  // a file left over names a process that is gone; readers find that out
  std::filesystem::remove(PathIn(data_dir), ignored);
}

}  // namespace enigma::coordinator
