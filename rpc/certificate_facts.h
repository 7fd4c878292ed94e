#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "rpc/openssl_handles.h"

namespace enigma {

// What the certificate of a server says to clients that are no nodes.
struct CertificateFacts {
  std::vector<std::string> names;  // host names and literal addresses that it is good for, as it lists them
  absl::Time from;
  absl::Time until;
  std::string digest;  // SHA-256 of the whole certificate, 32 bytes: which one it is
};

// Fails where the validity cannot be read. Names in a form that clients of HTTP and gRPC do not look at (a common name,
// mail addresses) are left out.
absl::StatusOr<CertificateFacts> FactsOf(X509& certificate);

// Whether a client that dials `host`, a name or a literal address without brackets, accepts the certificate's names.
// As clients do today, it looks at alternative names alone, not at the common name.
bool CoversHost(X509& certificate, const std::string& host);

}  // namespace enigma
