#include "cli/doctor/cluster_checks.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/text.h"
#include "cli/cluster/cluster_client.h"
#include "rpc/channel.h"
#include "rpc/clock_skew.h"
#include "rpc/endpoint.h"

namespace enigma::cli {

namespace {

constexpr int64_t kGoneForLongMs = 10 * 60 * 1000;

std::string NameOf(const v1::NodeInfo& node) {
  return absl::StrCat(node.host_name(), " ", node.node_id().substr(0, 8));
}

void CheckClock(const v1::DiagnoseReply& reply, absl::Time sent, absl::Time received, Findings& findings) {
  // The coordinator read its clock somewhere between; the middle is the best guess.
  const absl::Time local = sent + (received - sent) / 2;
  const std::string skew = DescribeClockSkew(local, absl::FromUnixMillis(reply.server_time_unix_ms()));
  if (skew.empty()) {
    findings.push_back({"clock", Verdict::kFine, "agrees with the coordinator's", ""});
  } else {
    findings.push_back(
        {"clock", Verdict::kProblem, skew, "set the clocks by NTP; certificates and tokens depend on it"});
  }
}

void CheckBeacons(const v1::DiagnoseReply& reply, Findings& findings) {
  for (const auto& interface : reply.interfaces()) {
    std::string detail =
        absl::StrCat("coordinator: ", interface.name(), interface.address().empty() ? "" : " ", interface.address());
    if (!interface.used()) {
      absl::StrAppend(&detail, " skipped, ", interface.reason());
      findings.push_back({"beacons", Verdict::kFine, detail, ""});
      continue;
    }
    absl::StrAppend(&detail, ": ", interface.beacons_sent(), " sent, ", interface.beacons_received(), " received");
    if (interface.send_errors() > 0) {
      absl::StrAppend(&detail, ", ", interface.send_errors(), " failed, last: ", interface.last_error());
      findings.push_back({"beacons", Verdict::kNote, detail, "see whether that interface has an address and a route"});
    } else {
      findings.push_back({"beacons", Verdict::kFine, detail, ""});
    }
  }
  for (const auto& [reason, count] : reply.dropped_beacons()) {
    if (count == 0) continue;
    findings.push_back({"beacons", Verdict::kNote, absl::StrCat(count, " dropped: ", reason), ""});
  }
}

void CheckNodes(ClusterClient& client, Findings& findings) {
  v1::ListNodesReply reply;
  const absl::Status listed = client.Explain(client.cluster().ListNodes(QuickCall().get(), {}, &reply));
  if (!listed.ok()) {
    findings.push_back({"nodes", Verdict::kProblem, ToString(listed.message()), ""});
    return;
  }
  if (reply.nodes().empty()) {
    findings.push_back(
        {"nodes", Verdict::kNote, "no worker has joined", "`enigma token create` prints how to add one"});
  }
  for (const auto& node : reply.nodes()) {
    const std::string name = NameOf(node);
    if (std::optional<Finding> gone = JudgeAbsence(node)) {
      findings.push_back(*std::move(gone));
      continue;
    }
    // Loopback addresses of another machine's node mean nothing here.
    absl::Status reached = absl::UnavailableError("it has told no address");
    for (const std::string& endpoint : node.endpoints()) {
      reached = DiagnoseChannel(endpoint, client.identity(), ExpectedPeer::Node(node.node_id()), absl::Now());
      if (reached.ok()) break;
    }
    if (reached.ok()) {
      findings.push_back({"nodes", Verdict::kFine, name + " is ready and reachable from here", ""});
    } else {
      findings.push_back({"nodes", Verdict::kNote,
                          absl::StrCat(name, " is ready, but not reachable from here: ", ToString(reached.message())),
                          "if other nodes cannot reach it either, open its gRPC port in the firewall, or name the "
                          "right address with --advertise"});
    }
  }
}

}  // namespace

std::optional<Finding> JudgeAbsence(const v1::NodeInfo& node) {
  if (node.state() == "ready" || node.state() == "measuring") return std::nullopt;
  // An absent node has not been seen since the coordinator started: nobody knows for how long.
  const bool long_gone = node.last_seen_age_ms() < 0 || node.last_seen_age_ms() > kGoneForLongMs;
  return Finding{"nodes", long_gone ? Verdict::kNote : Verdict::kProblem,
                 absl::StrCat(NameOf(node), " is ", node.state(), ": ", node.state_reason()),
                 absl::StrCat("start its worker again, or look at its log; if it is gone for good: enigma nodes rm ",
                              node.node_id())};
}

std::optional<uint16_t> CheckCluster(const ClusterFlags& flags, Findings& findings) {
  const auto client = ClusterClient::Open(flags);
  if (!client.ok()) {
    // No cluster here is no fault of the machine; broken keys are.
    const bool none = absl::IsNotFound(client.status());
    findings.push_back({"cluster", none ? Verdict::kNote : Verdict::kProblem, ToString(client.status().message()), ""});
    return std::nullopt;
  }
  v1::DiagnoseReply reply;
  const absl::Time sent = absl::Now();
  const absl::Status status =
      (*client)->Explain((*client)->cluster().Diagnose(QuickCall(absl::Seconds(10)).get(), {}, &reply));
  if (!status.ok()) {
    findings.push_back({"cluster", Verdict::kProblem, ToString(status.message()), ""});
    return std::nullopt;
  }
  findings.push_back({"cluster", Verdict::kFine,
                      absl::StrCat("coordinator ", reply.version(), " answers at ", (*client)->endpoint(), ", cluster ",
                                   reply.cluster_id().substr(0, 8), ", ", reply.nodes_ready(), " node(s) ready"),
                      ""});
  if (reply.version() != ENIGMA_VERSION) {
    findings.push_back({"cluster", Verdict::kNote,
                        absl::StrCat("the coordinator is version ", reply.version(), ", this is ", ENIGMA_VERSION),
                        "run the same version everywhere"});
  }
  CheckClock(reply, sent, absl::Now(), findings);
  CheckBeacons(reply, findings);
  CheckNodes(**client, findings);
  const auto endpoint = ParseEndpoint((*client)->endpoint(), 0);
  if (!endpoint.ok()) return std::nullopt;
  return static_cast<uint16_t>(endpoint->port);
}

}  // namespace enigma::cli
