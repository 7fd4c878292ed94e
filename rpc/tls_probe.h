#pragma once

#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "rpc/endpoint.h"
#include "rpc/openssl_handles.h"

namespace enigma {

// OK when something accepts TCP connections there; the error names each address that was tried.
absl::Status ProbeTcp(const Endpoint& endpoint, absl::Duration timeout);

// Connects by TLS, believes nothing, and returns the certificates that the server shows, its own first (at least one).
// Blocks for at most `timeout` after names are resolved. For finding the CA by its pin, and for diagnosis.
absl::StatusOr<std::vector<X509Ptr>> FetchServerChain(const Endpoint& endpoint, absl::Duration timeout);

}  // namespace enigma
