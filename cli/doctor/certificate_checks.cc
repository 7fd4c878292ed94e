#include "cli/doctor/certificate_checks.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/text.h"
#include "rpc/certificate.h"
#include "rpc/server_certificate.h"

namespace enigma::cli {

namespace {

constexpr char kTopic[] = "certificate";
constexpr absl::Duration kSoon = absl::Hours(24 * 14);

std::string At(absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone()); }

// Short-lived certificates are renewed shortly before their end: what counts as soon is a fifth of their life at most,
// by when tools that renew (at a third, as a rule) have had their time.
absl::Duration SoonFor(const CertificateFacts& facts) { return std::min(kSoon, (facts.until - facts.from) / 5); }

std::string TimeLeft(absl::Duration left) {
  const int64_t hours = absl::ToInt64Hours(left);
  return hours < 48 ? absl::StrCat(hours, " h") : absl::StrCat(hours / 24, " days");
}

std::string HowToRenew(const Announcement& from) {
  if (from.tls_chain_path.empty()) {
    return "start the coordinator again: it makes itself a new certificate at every start";
  }
  return absl::StrCat("put a renewed one into ", from.tls_chain_path, " and its key into ", from.tls_key_path,
                      ": the coordinator takes them over within seconds");
}

std::string HowToCover(const Announcement& from) {
  if (from.tls_chain_path.empty()) {
    return "start the coordinator again: its certificate is then for the addresses that this machine has by that time, "
           "or those of --advertise where that is given";
  }
  return "let clients use one of its names, which has to lead here, or get a certificate for these hosts as well";
}

}  // namespace

Findings JudgeCertificate(const ShownCertificate& shown, const Announcement& from, absl::Time now) {
  const CertificateFacts& facts = shown.facts;
  const std::string subject = absl::StrCat("the certificate of ", absl::StrJoin(shown.fronts, " and "));
  Findings findings;
  if (now > facts.until) {
    findings.push_back({kTopic, Verdict::kProblem,
                        absl::StrCat(subject, " expired at ", At(facts.until), ": clients refuse the connection"),
                        HowToRenew(from)});
  } else if (now < facts.from) {
    findings.push_back({kTopic, Verdict::kProblem,
                        absl::StrCat(subject, " is not valid before ", At(facts.from),
                                     ", and this machine's clock says ", At(now), ": clients refuse the connection"),
                        "set the clocks by NTP, or use a certificate that is valid already"});
  } else if (facts.until - now < SoonFor(facts)) {
    findings.push_back(
        {kTopic, Verdict::kNote,
         absl::StrCat(subject, " expires soon, at ", At(facts.until), ", in ", TimeLeft(facts.until - now)),
         HowToRenew(from)});
  }
  const std::string names = absl::StrJoin(facts.names, ", ");
  if (facts.names.empty()) {
    findings.push_back({kTopic, Verdict::kProblem,
                        absl::StrCat(subject, " names no host (no subjectAltName): clients refuse the connection"),
                        "get a certificate with the names that clients dial; the common name alone does not count"});
  } else if (!shown.uncovered.empty()) {
    findings.push_back({kTopic, Verdict::kNote,
                        absl::StrCat(subject, " is for ", names, ": clients that dial ",
                                     absl::StrJoin(shown.uncovered, " or "), " refuse it"),
                        HowToCover(from)});
  }
  if (findings.empty()) {
    findings.push_back(
        {kTopic, Verdict::kFine,
         absl::StrCat(subject, " is for ", names, ", until ", At(facts.until), " (", TimeLeft(facts.until - now), ")"),
         ""});
  }
  return findings;
}

void CheckCertificateFiles(const ShownCertificate& shown, const Announcement& from, absl::Time now,
                           Findings& findings) {
  if (from.tls_chain_path.empty()) return;
  const auto files = ServerCertificateFiles(from.tls_chain_path, from.tls_key_path).Read(now);
  if (!files.ok()) {
    findings.push_back({kTopic, Verdict::kProblem,
                        absl::StrCat("the coordinator would not start again, and stays with the certificate that it "
                                     "has read before: ",
                                     files.status().message()),
                        "put a certificate and the key that belongs to it into these two files"});
    return;
  }
  const auto leaf = ParseCertificatePem(files->chain_pem);  // as Read has made sure
  const auto facts = leaf.ok() ? FactsOf(**leaf) : leaf.status();
  if (facts.ok() && facts->digest == shown.facts.digest) return;
  findings.push_back({kTopic, Verdict::kNote,
                      absl::StrCat(absl::StrJoin(shown.fronts, " and "), ": not the certificate that is in ",
                                   from.tls_chain_path, " now"),
                      "where that was changed more than 10 seconds ago, the coordinator's log says why it is not taken "
                      "over"});
}

}  // namespace enigma::cli
