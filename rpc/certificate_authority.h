#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "base/clock.h"
#include "rpc/identity.h"
#include "rpc/openssl_handles.h"
#include "rpc/server_certificate.h"

namespace enigma {

// The cluster's own CA. Whoever holds its key decides who is in the cluster; it never leaves the coordinator.
// Thread-safe: immutable after construction.
class CertificateAuthority {
 public:
  // Reads <pki_dir>/ca.pem, or makes a new cluster with a random id when there is none. The clock must outlive the CA.
  static absl::StatusOr<std::unique_ptr<CertificateAuthority>> LoadOrCreate(const std::string& pki_dir,
                                                                            const Clock& clock = Clock::System());

  // 32 hexadecimal digits.
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }
  [[nodiscard]] const std::string& certificate_pem() const { return certificate_pem_; }
  // 32 bytes; see PublicKeyPin.
  [[nodiscard]] const std::string& pin() const { return pin_; }

  // Answers a PKCS#10 request (PEM) with a certificate (PEM) for `node_id` and `role`, which are the caller's decision;
  // the request must name the same ones, must name this cluster, and must be signed with the key it asks for.
  [[nodiscard]] absl::StatusOr<std::string> Sign(const std::string& request_pem, std::string_view node_id,
                                                 Role role) const;

  // A certificate with new keys for a process on this machine: the coordinator itself, the operator's commands.
  [[nodiscard]] absl::StatusOr<NodeIdentity> Issue(std::string_view node_id, Role role) const;

  // A certificate with a new key for a server whose clients are no nodes, good for these host names and literal
  // addresses; it names no node, so nobody gets into the cluster with it. Valid as long as a node's.
  [[nodiscard]] absl::StatusOr<ServerCertificate> IssueForServer(const std::vector<std::string>& hosts) const;

  // Reads the identity at `path`, or issues it with a random node id and saves it there when there is none, or when
  // the one there is not of this cluster.
  [[nodiscard]] absl::StatusOr<NodeIdentity> LoadOrIssue(const std::string& path, Role role) const;

 private:
  CertificateAuthority(PkeyPtr key, X509Ptr certificate, std::string cluster_id, const Clock& clock);

  const PkeyPtr key_;
  const X509Ptr certificate_;
  const std::string cluster_id_;
  const std::string certificate_pem_;
  const std::string pin_;
  const Clock& clock_;
};

}  // namespace enigma
