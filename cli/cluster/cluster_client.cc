#include "cli/cluster/cluster_client.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "cli/cluster/announcement.h"
#include "cli/settings/daemon_flags.h"
#include "cli/usage_error.h"
#include "rpc/channel.h"
#include "rpc/endpoint.h"
#include "rpc/server.h"
#include "rpc/status_conversion.h"
#include "rpc/tls_probe.h"

namespace enigma::cli {

namespace {

constexpr int kCoordinatorPort = 50051;
constexpr absl::Duration kProbe = absl::Seconds(3);
constexpr absl::Duration kProbeLeast = absl::Seconds(1);
constexpr absl::Duration kLookAgain = absl::Milliseconds(500);

// A coordinator that listens on every address is reached on this machine's own.
std::string Dialable(const Endpoint& endpoint) {
  Endpoint dialed = endpoint;
  if (dialed.host == "0.0.0.0" || dialed.host.empty()) dialed.host = "127.0.0.1";
  if (dialed.host == "::") dialed.host = "::1";
  return dialed.ToText();
}

// Whether gRPC itself made this message, on this side of the connection. The coordinator's own errors have the same
// codes, but are sentences that begin with what went wrong there.
bool IsTransportText(const std::string& message) {
  static constexpr const char* kPhrases[] = {"failed to connect",
                                             "connections to all backends failing",
                                             "Connection reset",
                                             "Connection refused",
                                             "Socket closed",
                                             "Broken pipe",
                                             "Endpoint read failed",
                                             "Transport closed",
                                             "Deadline Exceeded",
                                             "keepalive watchdog",
                                             "ping timeout",
                                             "GOAWAY",
                                             "recvmsg:",
                                             "sendmsg:",
                                             "Stream removed",
                                             "Received message larger",
                                             "Sent message larger"};
  if (message.empty()) return true;
  return std::any_of(std::begin(kPhrases), std::end(kPhrases),
                     [&](const char* phrase) { return absl::StartsWith(message, phrase); });
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
  const auto endpoint = ParseEndpoint(address, kCoordinatorPort);
  if (!endpoint.ok()) return UsageError(absl::StrCat(client->origin_, ": ", endpoint.status().message()));
  client->endpoint_ = Dialable(*endpoint);
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
  const absl::Duration patience = absl::Seconds(flags.connect_seconds);
  // A machine that is busy answers pings late too; a command has no reason to give up a connection over that.
  client->channel_ =
      MakeChannel(client->endpoint_, client->identity(), ExpectedPeer::Coordinator(),
                  {.ping_every = absl::Seconds(10), .ping_timeout = absl::Seconds(30), .connect_timeout = patience});
  client->cluster_ = v1::Cluster::NewStub(client->channel_);
  client->inference_ = v1::Inference::NewStub(client->channel_);
  client->training_ = v1::Training::NewStub(client->channel_);
  ENIGMA_RETURN_IF_ERROR(client->Connect(patience));
  return client;
}

absl::Status ClusterClient::Connect(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (true) {
    const grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return absl::OkStatus();
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) {
      ENIGMA_RETURN_IF_ERROR(LookForFault(std::clamp(deadline - absl::Now(), kProbeLeast, kProbe)));
    }
    const absl::Time now = absl::Now();
    if (now >= deadline) break;
    channel_->WaitForStateChange(state, absl::ToChronoTime(std::min(deadline, now + kLookAgain)));
  }
  // Whether anybody takes connections there at all.
  ENIGMA_ASSIGN_OR_RETURN(const Endpoint peer, ParseEndpoint(endpoint_, 0));
  if (const absl::Status reached = ProbeTcp(peer, kProbeLeast); !reached.ok()) return NobodyThere(reached);
  const std::string plain =
      identity() == nullptr ? "; or does it run without --insecure, so that it wants TLS and a certificate?" : "";
  return absl::UnavailableError(
      absl::StrCat("the coordinator at ", endpoint_, " (from ", origin_,
                   ") is there, but did not accept the connection within ", absl::FormatDuration(patience),
                   ": it is overloaded or stopped; try again, or wait longer with --connect-timeout SECONDS", plain));
}

absl::Status ClusterClient::NobodyThere(const absl::Status& reason) const {
  return absl::UnavailableError(absl::StrCat("no coordinator answers at ", endpoint_, " (from ", origin_,
                                             "; `enigma up` or `enigma coordinator` starts one): ", reason.message()));
}

absl::Status ClusterClient::LookForFault(absl::Duration time) const {
  const absl::Time begin = absl::Now();
  const absl::Status reason = DiagnoseChannel(endpoint_, identity(), ExpectedPeer::Coordinator(), begin, time);
  if (reason.ok() || !absl::IsUnavailable(reason)) return reason;
  // What took all the time is only slow; a refusal comes at once.
  if (absl::Now() - begin >= time * 0.9) return absl::OkStatus();
  return NobodyThere(reason);
}

absl::Status ClusterClient::Explain(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  const absl::Status plain = FromGrpc(status);
  if (!IsTransportText(status.error_message())) return plain;  // the coordinator's own sentence
  const auto sentence = [&](absl::string_view text) {
    return absl::Status(plain.code(), absl::StrCat("the coordinator at ", endpoint_, " ", text));
  };
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      ENIGMA_RETURN_IF_ERROR(LookForFault(kProbe));
      return sentence(absl::StrCat("broke off the connection (", status.error_message(),
                                   "); run the command again, and see its log if that happens often"));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return sentence("did not answer in time: it is overloaded or stopped; try again later");
    case grpc::StatusCode::UNIMPLEMENTED:
      return sentence("does not know this command: run the same version of enigma everywhere");
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return sentence(
          absl::StrCat("takes messages of at most ", kMessageBytesMax >> 20, " MiB, and this one is larger"));
    default:
      return sentence(absl::StrCat("did not carry out the call: ", absl::StatusCodeToString(plain.code()),
                                   status.error_message().empty() ? "" : ", ", status.error_message()));
  }
}

std::unique_ptr<grpc::ClientContext> QuickCall(absl::Duration timeout) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
  return context;
}

}  // namespace enigma::cli
