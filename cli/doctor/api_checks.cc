#include "cli/doctor/api_checks.h"

#include <algorithm>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/cluster/announcement.h"
#include "cli/doctor/certificate_checks.h"
#include "discovery/interfaces.h"
#include "rpc/endpoint.h"
#include "rpc/tls_probe.h"

namespace enigma::cli {

namespace {

constexpr char kApiTopic[] = "api";
constexpr absl::Duration kAnswerTime = absl::Seconds(3);
constexpr absl::Duration kOwnAddressTime = absl::Milliseconds(500);

struct ApiFront {
  std::string name;  // for messages
  Endpoint endpoint;
  bool tls = false;
};

std::vector<ApiFront> FrontsOf(const Announcement& announcement) {
  std::vector<ApiFront> fronts;
  if (const auto http = ParseEndpoint(announcement.http, 0); http.ok()) {
    fronts.push_back({announcement.ApiUrl(), *http, announcement.https});
  }
  if (const auto grpc = ParseEndpoint(announcement.public_grpc, 0); grpc.ok()) {
    fronts.push_back({absl::StrCat("public gRPC at ", announcement.public_grpc), *grpc, true});
  }
  return fronts;
}

bool IsOwnLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

// By which hosts it is reached: as it says, and, where that is this machine's own loopback, on every address of this
// machine that it takes connections on, too.
std::vector<std::string> HostsOf(const Endpoint& endpoint) {
  std::vector<std::string> hosts = {endpoint.host};
  if (!IsOwnLoopback(endpoint.host)) return hosts;
  const auto addresses = ReachableAddresses({});
  if (!addresses.ok()) return hosts;  // CheckInterfaces says why
  for (const std::string& address : *addresses) {
    if (IsOwnLoopback(address)) continue;
    if (ProbeTcp({address, endpoint.port}, kOwnAddressTime).ok()) hosts.push_back(address);
  }
  return hosts;
}

// Adds what `front` shows to what others show.
absl::Status LookAt(const ApiFront& front, std::vector<ShownCertificate>& all) {
  if (!front.tls) return ProbeTcp(front.endpoint, kAnswerTime);
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain, FetchServerChain(front.endpoint, kAnswerTime));
  ENIGMA_ASSIGN_OR_RETURN(const CertificateFacts facts, FactsOf(*chain.front()));
  auto shown = all.begin();
  while (shown != all.end() && shown->facts.digest != facts.digest) ++shown;
  if (shown == all.end()) shown = all.insert(all.end(), ShownCertificate{{}, facts, {}});
  shown->fronts.push_back(front.name);
  for (const std::string& host : HostsOf(front.endpoint)) {
    const bool known = std::find(shown->uncovered.begin(), shown->uncovered.end(), host) != shown->uncovered.end();
    if (!known && !CoversHost(*chain.front(), host)) shown->uncovered.push_back(host);
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<uint16_t> CheckApi(const std::string& data_dir, Findings& findings) {
  const auto announcement = ReadAnnouncement(data_dir);
  if (!announcement.ok()) return {};  // a coordinator that answered has ended meanwhile
  std::vector<ShownCertificate> certificates;
  std::vector<uint16_t> ports;
  for (const ApiFront& front : FrontsOf(*announcement)) {
    ports.push_back(static_cast<uint16_t>(front.endpoint.port));
    if (const absl::Status looked = LookAt(front, certificates); !looked.ok()) {
      findings.push_back({kApiTopic, Verdict::kProblem,
                          absl::StrCat(front.name, " does not answer: ", looked.message()),
                          "see the coordinator's log; start it again where it says nothing"});
    } else {
      findings.push_back({kApiTopic, Verdict::kFine,
                          absl::StrCat(front.name, front.tls ? " answers over TLS" : " takes connections"), ""});
    }
  }
  for (const ShownCertificate& shown : certificates) {
    for (Finding& finding : JudgeCertificate(shown, *announcement, absl::Now())) {
      findings.push_back(std::move(finding));
    }
    CheckCertificateFiles(shown, *announcement, absl::Now(), findings);
  }
  return ports;
}

}  // namespace enigma::cli
