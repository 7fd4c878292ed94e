#include "rpc/certificate.h"

#include <ctime>

#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "rpc/digest.h"

namespace enigma {
namespace {

constexpr std::string_view kScheme = "enigma://";
constexpr std::string_view kBeacon = "beacon";
constexpr size_t kNodeIdBytesMax = 40;
constexpr size_t kBeaconKeyBytes = 32;

absl::StatusOr<absl::Time> ReadTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return OpenSslError("reading a certificate's validity");
  return absl::FromTM(parts, absl::UTCTimeZone());
}

absl::StatusOr<std::vector<std::string>> ReadUris(X509& certificate) {
  using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> uris;
  if (names == nullptr) return uris;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                      static_cast<size_t>(ASN1_STRING_length(text)));
  }
  return uris;
}

std::string Instant(absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone()); }

absl::Status CheckValidity(const std::string& whose, absl::Time not_before, absl::Time not_after, absl::Time now) {
  if (now < not_before) {
    return absl::FailedPreconditionError(
        absl::StrCat(whose, " is not valid before ", Instant(not_before), ", and this machine's clock says ",
                     Instant(now), ": the clocks of the two machines differ by at least ",
                     absl::FormatDuration(absl::Ceil(not_before - now, absl::Seconds(1))),
                     "; set the time (timedatectl set-ntp true) and try again"));
  }
  if (now > not_after) {
    return absl::FailedPreconditionError(absl::StrCat(
        whose, " expired at ", Instant(not_after), ", and this machine's clock says ", Instant(now),
        ": the clock is ahead by at least ", absl::FormatDuration(absl::Ceil(now - not_after, absl::Seconds(1))),
        " (set the time: timedatectl set-ntp true), or the certificate must be renewed by joining again"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kWorker:
      return "worker";
    case Role::kCoordinator:
      return "coordinator";
    case Role::kAdmin:
      break;
  }
  return "admin";
}

absl::StatusOr<Role> ParseRole(std::string_view name) {
  for (const Role role : {Role::kWorker, Role::kCoordinator, Role::kAdmin}) {
    if (RoleName(role) == name) return role;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("role \"", absl::CHexEscape(ToAbsl(name)), "\" is unknown; a node is worker, coordinator or admin"));
}

std::string AnyNodeTlsName() { return "node.enigma.internal"; }
std::string NodeTlsName(std::string_view node_id) { return absl::StrCat(ToAbsl(node_id), ".node.enigma.internal"); }
std::string RoleTlsName(Role role) { return absl::StrCat(ToAbsl(RoleName(role)), ".enigma.internal"); }

std::string NodeUri(std::string_view cluster_id, Role role, std::string_view node_id) {
  return absl::StrCat(ToAbsl(kScheme), ToAbsl(cluster_id), "/", ToAbsl(RoleName(role)), "/", ToAbsl(node_id));
}

std::string BeaconKeyUri(std::string_view cluster_id, std::string_view public_key) {
  return absl::StrCat(ToAbsl(kScheme), ToAbsl(cluster_id), "/", ToAbsl(kBeacon), "/",
                      absl::WebSafeBase64Escape(ToAbsl(public_key)));
}

absl::StatusOr<NodeCertificate> ParseNodeUris(const std::vector<std::string>& uris) {
  NodeCertificate node;
  bool found = false;
  for (const std::string& uri : uris) {
    absl::string_view rest = uri;
    if (!absl::StartsWith(rest, ToAbsl(kScheme))) continue;
    rest.remove_prefix(kScheme.size());
    const std::vector<std::string> parts = absl::StrSplit(rest, '/');
    if (parts.size() != 3) return absl::InvalidArgumentError("a certificate carries a malformed enigma:// name");
    if (!node.cluster_id.empty() && node.cluster_id != parts[0]) {
      return absl::InvalidArgumentError("a certificate names two clusters");
    }
    node.cluster_id = parts[0];
    if (parts[1] == kBeacon) {
      if (!absl::WebSafeBase64Unescape(parts[2], &node.beacon_public_key) ||
          node.beacon_public_key.size() != kBeaconKeyBytes) {
        return absl::InvalidArgumentError("a certificate carries a malformed beacon key");
      }
      continue;
    }
    if (found) return absl::InvalidArgumentError("a certificate names two nodes");
    ENIGMA_ASSIGN_OR_RETURN(node.role, ParseRole(parts[1]));
    ENIGMA_RETURN_IF_ERROR(CheckNodeId(parts[2]));
    node.node_id = parts[2];
    found = true;
  }
  if (!found) return absl::InvalidArgumentError("the certificate is not that of a node: it has no enigma:// name");
  return node;
}

absl::Status CheckNodeId(std::string_view node_id) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  bool fine = !node_id.empty() && node_id.size() <= kNodeIdBytesMax && node_id.front() != '-' && node_id.back() != '-';
  for (const char c : node_id) fine = fine && allowed(c);
  if (fine) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("node id \"", absl::CHexEscape(ToAbsl(node_id.substr(0, 80))),
                                                 "\" is malformed; use 1 to 40 of a-z, 0-9 and inner hyphens"));
}

std::string MakeNodeId() {
  std::string bytes(8, '\0');
  SystemRandomBytes(bytes.data(), bytes.size());
  return ToHex(bytes);
}

absl::StatusOr<X509Ptr> ParseCertificatePem(std::string_view pem) {
  const BioPtr bio = ReadBio(pem);
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) return absl::InvalidArgumentError(OpenSslError("not a PEM certificate").message());
  return certificate;
}

absl::StatusOr<X509Ptr> ParseCertificateDer(std::string_view der) {
  const auto* data = reinterpret_cast<const unsigned char*>(der.data());
  X509Ptr certificate(d2i_X509(nullptr, &data, static_cast<long>(der.size())));
  if (certificate == nullptr) return absl::InvalidArgumentError(OpenSslError("not a DER certificate").message());
  if (data != reinterpret_cast<const unsigned char*>(der.data()) + der.size()) {
    return absl::InvalidArgumentError("bytes follow the DER certificate");
  }
  return certificate;
}

std::string CertificatePem(X509& certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), &certificate);
  return Contents(bio.get());
}

std::string CertificateDer(X509& certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  i2d_X509_bio(bio.get(), &certificate);
  return Contents(bio.get());
}

std::string PublicKeyPin(X509& certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  i2d_PUBKEY_bio(bio.get(), X509_get0_pubkey(&certificate));
  return Sha256(Contents(bio.get()));
}

absl::StatusOr<NodeCertificate> ReadNodeCertificate(X509& certificate) {
  ENIGMA_ASSIGN_OR_RETURN(const auto uris, ReadUris(certificate));
  ENIGMA_ASSIGN_OR_RETURN(NodeCertificate node, ParseNodeUris(uris));
  ENIGMA_ASSIGN_OR_RETURN(node.not_before, ReadTime(X509_get0_notBefore(&certificate)));
  ENIGMA_ASSIGN_OR_RETURN(node.not_after, ReadTime(X509_get0_notAfter(&certificate)));
  return node;
}

absl::StatusOr<NodeCertificate> VerifyNodeCertificate(X509& leaf, X509& ca, absl::Time now) {
  EVP_PKEY* key = X509_get0_pubkey(&ca);
  if (key == nullptr || X509_check_ca(&ca) != 1) {
    return absl::InvalidArgumentError("the certificate given as the cluster CA's is not that of a CA");
  }
  if (X509_verify(&leaf, key) != 1) {
    ERR_clear_error();  // a wrong signature is an answer, not a fault
    return absl::UnauthenticatedError(
        "the certificate was not issued by this cluster's CA: the other side belongs to another cluster, or the CA was "
        "made anew; join again with a fresh token");
  }
  ENIGMA_ASSIGN_OR_RETURN(const absl::Time ca_from, ReadTime(X509_get0_notBefore(&ca)));
  ENIGMA_ASSIGN_OR_RETURN(const absl::Time ca_until, ReadTime(X509_get0_notAfter(&ca)));
  ENIGMA_RETURN_IF_ERROR(CheckValidity("the cluster CA's certificate", ca_from, ca_until, now));
  ENIGMA_ASSIGN_OR_RETURN(NodeCertificate node, ReadNodeCertificate(leaf));
  ENIGMA_RETURN_IF_ERROR(
      CheckValidity(absl::StrCat("the certificate of ", ToAbsl(RoleName(node.role)), " ", node.node_id),
                    node.not_before, node.not_after, now));
  return node;
}

}  // namespace enigma
