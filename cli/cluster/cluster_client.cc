#include "cli/cluster/cluster_client.h"

#include <chrono>
#include <filesystem>
#include <fstream>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "cli/settings/daemon_flags.h"
#include "rpc/channel.h"
#include "rpc/endpoint.h"
#include "rpc/status_conversion.h"

namespace enigma::cli {

namespace {

constexpr int kCoordinatorPort = 50051;

struct Announcement {
  std::string grpc;
  bool insecure = false;
};

// What a coordinator writes into its data directory once it listens.
absl::StatusOr<Announcement> ReadAnnouncement(const std::string& data_dir) {
  const std::string path = data_dir + "/endpoint.json";
  std::ifstream in(path);
  if (!in) {
    return absl::NotFoundError(absl::StrCat("no coordinator has run with the data directory ", data_dir,
                                            ": start one with `enigma up` or `enigma coordinator`, or name another "
                                            "directory with --data-dir"));
  }
  const auto json = nlohmann::json::parse(in, nullptr, false);
  const auto grpc = json.is_object() ? json.find("grpc") : json.end();
  if (!json.is_object() || grpc == json.end() || !grpc->is_string()) {
    return absl::DataLossError(absl::StrCat(path, " is damaged; start the coordinator again, or use --coordinator"));
  }
  Announcement announcement;
  announcement.grpc = grpc->get<std::string>();
  const auto insecure = json.find("insecure");
  announcement.insecure = insecure != json.end() && insecure->is_boolean() && insecure->get<bool>();
  return announcement;
}

// A coordinator that listens on every address is reached on this machine's own.
std::string Dialable(const Endpoint& endpoint) {
  Endpoint dialed = endpoint;
  if (dialed.host == "0.0.0.0" || dialed.host.empty()) dialed.host = "127.0.0.1";
  if (dialed.host == "::") dialed.host = "::1";
  return dialed.ToText();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClusterClient>> ClusterClient::Open(const ClusterFlags& flags) {
  auto client = std::unique_ptr<ClusterClient>(new ClusterClient);
  const std::string data_dir = flags.data_dir.empty() ? DefaultDataDir() : flags.data_dir;
  bool insecure = flags.insecure;
  std::string address = flags.coordinator;
  client->origin_ = "--coordinator";
  if (address.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(const Announcement announcement, ReadAnnouncement(data_dir));
    address = announcement.grpc;
    insecure = insecure || announcement.insecure;
    client->origin_ = data_dir + "/endpoint.json";
  }
  ENIGMA_ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(address, kCoordinatorPort));
  client->endpoint_ = Dialable(endpoint);
  if (!insecure) {
    const std::string path = data_dir + "/pki/admin.pem";
    auto identity = LoadIdentity(path, absl::Now());
    if (absl::IsNotFound(identity.status())) {
      return absl::NotFoundError(
          absl::StrCat("no operator's certificate at ", path, ": copy the file pki/admin.pem of ",
                       "the coordinator's data directory there, or name that directory with ", "--data-dir"));
    }
    ENIGMA_RETURN_IF_ERROR(identity.status());
    client->identity_ = *std::move(identity);
  }
  client->channel_ = MakeChannel(client->endpoint_, client->identity(), ExpectedPeer::Coordinator());
  client->cluster_ = v1::Cluster::NewStub(client->channel_);
  client->inference_ = v1::Inference::NewStub(client->channel_);
  return client;
}

absl::Status ClusterClient::Explain(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    const absl::Status reason =
        DiagnoseChannel(endpoint_, identity(), ExpectedPeer::Coordinator(), absl::Now(), absl::Seconds(3));
    if (absl::IsUnavailable(reason)) {
      return absl::UnavailableError(absl::StrCat("no coordinator answers at ", endpoint_, " (from ", origin_,
                                                 "): is it running? `enigma up` or `enigma coordinator` starts one"));
    }
    if (!reason.ok()) return reason;
  }
  return FromGrpc(status);
}

std::unique_ptr<grpc::ClientContext> QuickCall(absl::Duration timeout) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
  return context;
}

}  // namespace enigma::cli
