#pragma once

#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>

#include "coordinator/coordinator.h"
#include "coordinator/public_pem.h"
#include "rpc/certificate_authority.h"
#include "rpc/identity.h"
#include "rpc/server_certificate.h"

namespace enigma::coordinator {

// What the coordinator shows: to nodes an identity of the cluster's CA, to clients of HTTP and of public gRPC a
// certificate. Constant once it is open, but for what Renewed does, on one thread.
class Credentials {
 public:
  explicit Credentials(const Coordinator::Options& options);  // must outlive it

  // Makes what is not there yet. INVALID_ARGUMENT names the option that asks for what there cannot be.
  absl::Status Open();

  const std::string& node_id() const { return node_id_; }
  const CertificateAuthority* authority() const { return authority_.get(); }            // null with --insecure
  const std::optional<NodeIdentity>& identity() const { return identity_; }             // likewise empty
  const std::optional<ServerCertificate>& certificate() const { return certificate_; }  // empty: HTTP is plain
  // Whether it comes from files, which others renew.
  [[nodiscard]] bool renewable() const { return files_.has_value(); }
  // What those files have now, where it is another one; public gRPC takes it, too.
  std::optional<ServerCertificate> Renewed();
  // Where public gRPC reads certificate and key; empty: they stay what they are.
  [[nodiscard]] std::string PublicPemPath() const { return renewable() ? public_pem_.path() : ""; }
  // Once nobody listens any more.
  void RemovePublicPem() const { public_pem_.Remove(); }

 private:
  absl::Status OpenPki();
  absl::Status OpenCertificate();

  const Coordinator::Options& options_;
  std::string node_id_;
  std::unique_ptr<CertificateAuthority> authority_;
  std::optional<NodeIdentity> identity_;
  std::optional<ServerCertificate> certificate_;
  std::optional<ServerCertificateFiles> files_;
  PublicPem public_pem_;
};

}  // namespace enigma::coordinator
