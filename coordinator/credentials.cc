#include "coordinator/credentials.h"

#include <vector>

#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "coordinator/addresses.h"
#include "rpc/private_file.h"
#include "telemetry/log.h"

namespace enigma::coordinator {

Credentials::Credentials(const Coordinator::Options& options)
    : options_(options), public_pem_(options.data_dir + "/pki/public.pem", !options.public_grpc_host.empty()) {}

absl::Status Credentials::Open() {
  ENIGMA_RETURN_IF_ERROR(OpenPki());
  return OpenCertificate();
}

absl::Status Credentials::OpenPki() {
  if (options_.insecure) {
    LogWarn("--insecure: no TLS, no tokens; everybody who can connect can become a node. For laboratories only.");
    node_id_ = MakeNodeId();
    return absl::OkStatus();
  }
  const std::string pki = options_.data_dir + "/pki";
  ENIGMA_ASSIGN_OR_RETURN(authority_, CertificateAuthority::LoadOrCreate(pki, *options_.clock));
  ENIGMA_ASSIGN_OR_RETURN(identity_, authority_->LoadOrIssue(pki + "/coordinator.pem", Role::kCoordinator));
  // For the commands of whoever may read this folder.
  ENIGMA_RETURN_IF_ERROR(authority_->LoadOrIssue(pki + "/admin.pem", Role::kAdmin).status());
  ENIGMA_RETURN_IF_ERROR(WritePrivateFile(pki + "/cluster-ca.crt", authority_->certificate_pem()));
  node_id_ = identity_->node_id;
  return absl::OkStatus();
}

absl::Status Credentials::OpenCertificate() {
  if (!options_.tls_chain_path.empty()) {
    files_.emplace(options_.tls_chain_path, options_.tls_key_path);
    ENIGMA_ASSIGN_OR_RETURN(certificate_, files_->Read(options_.clock->Now()));
    ENIGMA_RETURN_IF_ERROR(public_pem_.Show(*certificate_));
  } else if (options_.tls_self_signed) {
    if (authority_ == nullptr) {
      return absl::InvalidArgumentError("tls_self_signed: with --insecure there is no cluster CA that could sign");
    }
    ENIGMA_ASSIGN_OR_RETURN(const std::vector<std::string> hosts, HostNames(options_));
    ENIGMA_ASSIGN_OR_RETURN(certificate_, authority_->IssueForServer(hosts));
    LogInfo("TLS by the cluster's own CA, as {}; clients trust {}/pki/cluster-ca.crt", absl::StrJoin(hosts, ", "),
            options_.data_dir);
  } else if (!options_.public_grpc_host.empty()) {
    return absl::InvalidArgumentError(
        "public_grpc: it needs a certificate (tls_chain_path and tls_key_path, or "
        "tls_self_signed)");
  }
  return absl::OkStatus();
}

std::optional<ServerCertificate> Credentials::Renewed() {
  std::optional<ServerCertificate> renewed = files_->Renewed(options_.clock->Now());
  public_pem_.Renew(renewed);
  return renewed;
}

}  // namespace enigma::coordinator
