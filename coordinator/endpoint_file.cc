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
  nlohmann::json json{{"grpc", record.grpc},
                      {"http", record.http},
                      {"http_scheme", record.https ? "https" : "http"},
                      {"cluster_id", record.cluster_id},
                      {"pid", getpid()},
                      {"insecure", record.insecure}};
  const auto add = [&json](const char* name, const std::string& value) {
    if (!value.empty()) json[name] = value;
  };
  add("public_grpc", record.public_grpc);
  add("tls_cert", record.tls_chain_path);
  add("tls_key", record.tls_key_path);
  // A path may hold bytes that are no UTF-8, which JSON cannot; readers then find no such file, and say so.
  const std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return WritePrivateFile(PathIn(data_dir), text + "\n");
}

void RemoveEndpointFile(const std::string& data_dir) {
  std::error_code ignored;  // a file left over names a process that is gone; readers find that out
  std::filesystem::remove(PathIn(data_dir), ignored);
}

}  // namespace enigma::coordinator
