#include "cli/cluster/announcement.h"

#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "cli/input/read_text.h"

namespace enigma::cli {

namespace {

std::string TextIn(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

std::string Announcement::ApiUrl() const {
  return http.empty() ? "" : absl::StrCat(https ? "https" : "http", "://", http, "/v1");
}

absl::StatusOr<Announcement> ReadAnnouncement(const std::string& data_dir) {
  const std::string path = data_dir + "/endpoint.json";
  const auto text = ReadText(path, size_t{1} << 20);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat("no coordinator has run with the data directory ", data_dir,
                                            ": start one with `enigma up` or `enigma coordinator`, or name another "
                                            "directory with --data-dir"));
  }
  ENIGMA_RETURN_IF_ERROR(text.status());
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  Announcement announcement;
  if (json.is_object()) announcement.grpc = TextIn(json, "grpc");
  if (announcement.grpc.empty()) {
    return absl::DataLossError(absl::StrCat(path, " is damaged; start the coordinator again, or use --coordinator"));
  }
  announcement.http = TextIn(json, "http");
  announcement.https = TextIn(json, "http_scheme") == "https";
  announcement.public_grpc = TextIn(json, "public_grpc");
  announcement.tls_chain_path = TextIn(json, "tls_cert");
  announcement.tls_key_path = TextIn(json, "tls_key");
  const auto insecure = json.find("insecure");
  announcement.insecure = insecure != json.end() && insecure->is_boolean() && insecure->get<bool>();
  return announcement;
}

}  // namespace enigma::cli
