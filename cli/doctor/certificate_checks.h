#pragma once

#include <string>
#include <vector>

#include <absl/time/time.h>

#include "cli/cluster/announcement.h"
#include "cli/doctor/finding.h"
#include "rpc/certificate_facts.h"

namespace enigma::cli {

// A certificate as the addresses of one coordinator show it.
struct ShownCertificate {
  std::vector<std::string> fronts;  // who shows it, for messages: "https://127.0.0.1:8443/v1"
  CertificateFacts facts;
  std::vector<std::string> uncovered;  // hosts by which those are reached and that its names do not cover
};

// What to think of it at `now`: expired, not valid yet, about to expire, of no use for some hosts. One finding at
// least. What is to be done depends on where `from` says that the certificate comes from.
Findings JudgeCertificate(const ShownCertificate& shown, const Announcement& from, absl::Time now);

// The files that a certificate comes from, now: that they are whole and belong together, and that what they hold is
// what is shown. Adds nothing where all is well, or where there are no files.
void CheckCertificateFiles(const ShownCertificate& shown, const Announcement& from, absl::Time now, Findings& findings);

}  // namespace enigma::cli
