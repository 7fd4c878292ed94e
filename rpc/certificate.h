#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "rpc/openssl_handles.h"

namespace enigma {

enum class Role { kWorker, kCoordinator, kAdmin };

std::string_view RoleName(Role role);
absl::StatusOr<Role> ParseRole(std::string_view name);

// What a node's certificate says. Written into it as
//   CN                                     <node id>
//   DNS:node.enigma.internal               every node: certificates are checked by cluster, not by host name
//   DNS:<node id>.node.enigma.internal     so that TLS itself can insist on one node
//   DNS:<role>.enigma.internal             or on one role
//   URI:enigma://<cluster id>/<role>/<node id>
//   URI:enigma://<cluster id>/beacon/<base64url of the node's Ed25519 public key>
struct NodeCertificate {
  std::string cluster_id;
  std::string node_id;
  Role role = Role::kWorker;
  std::string beacon_public_key;  // 32 bytes; empty where the certificate names none
  absl::Time not_before;
  absl::Time not_after;
};

// Names for ssl_target_name_override.
std::string AnyNodeTlsName();
std::string NodeTlsName(std::string_view node_id);
std::string RoleTlsName(Role role);

std::string NodeUri(std::string_view cluster_id, Role role, std::string_view node_id);
std::string BeaconKeyUri(std::string_view cluster_id, std::string_view public_key);
// Takes the fields that the URIs of one certificate carry.
absl::StatusOr<NodeCertificate> ParseNodeUris(const std::vector<std::string>& uris);

// 1 to 40 lower-case letters, digits and hyphens, no hyphen at either end: a node id is also a DNS label.
absl::Status CheckNodeId(std::string_view node_id);
// 16 random hexadecimal digits.
std::string MakeNodeId();

// One certificate; PEM_read takes the first block of the text.
absl::StatusOr<X509Ptr> ParseCertificatePem(std::string_view pem);
absl::StatusOr<X509Ptr> ParseCertificateDer(std::string_view der);
std::string CertificatePem(X509& certificate);
std::string CertificateDer(X509& certificate);

// SHA-256 of the certificate's public key (SubjectPublicKeyInfo): the "pin" in a join token.
std::string PublicKeyPin(X509& certificate);

absl::StatusOr<NodeCertificate> ReadNodeCertificate(X509& certificate);

// Checks that `leaf` is a node's certificate, signed by `ca` and valid at `now`. Of a validity that `now` misses it
// says by how much, because the cause is nearly always a wrong clock.
absl::StatusOr<NodeCertificate> VerifyNodeCertificate(X509& leaf, X509& ca, absl::Time now);

}  // namespace enigma
