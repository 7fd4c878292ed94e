#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "rpc/certificate.h"
#include "rpc/signing_key.h"

namespace enigma {

// The two keys of a node: P-256 for TLS, because every TLS stack that a client may bring speaks it, and Ed25519 for
// beacons, whose signatures are short and quick to check.
struct NodeKeys {
  std::string tls_private_key_pem;
  SigningKey beacon_key;

  static absl::StatusOr<NodeKeys> Generate();
};

// What a process is in its cluster, and what it proves that with.
struct NodeIdentity {
  std::string cluster_id;
  std::string node_id;
  Role role = Role::kWorker;
  std::string tls_private_key_pem;
  std::string certificate_pem;     // issued by the CA
  std::string ca_certificate_pem;  // the only root that this node trusts
  SigningKey beacon_key;
};

// A PKCS#10 request (PEM) for a certificate that names `node_id` and both keys of `keys`.
absl::StatusOr<std::string> MakeCertificateRequest(const NodeKeys& keys, std::string_view cluster_id,
                                                   std::string_view node_id, Role role);

// Puts keys and issued certificate together; fails unless they belong to each other and to the CA at `now`.
absl::StatusOr<NodeIdentity> AssembleIdentity(const NodeKeys& keys, const std::string& certificate_pem,
                                              const std::string& ca_certificate_pem, absl::Time now);

// One file with everything, so that it is there whole or not at all. Where a process keeps it: <data-dir>/pki/node.pem.
absl::Status SaveIdentity(const std::string& path, const NodeIdentity& identity);
// NOT_FOUND when the node has not joined yet. An identity that is expired or damaged is an error naming the file.
absl::StatusOr<NodeIdentity> LoadIdentity(const std::string& path, absl::Time now);

}  // namespace enigma
