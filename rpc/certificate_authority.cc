#include "rpc/certificate_authority.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>
#include <vector>

#include <absl/memory/memory.h>
#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "rpc/digest.h"
#include "rpc/private_file.h"
#include "telemetry/log.h"

namespace enigma {
namespace {

// A day of tolerance for clocks that lag; ten years, because nothing renews certificates yet.
constexpr absl::Duration kSkewTolerance = absl::Hours(24);
constexpr absl::Duration kValidity = absl::Hours(24 * 3650);
constexpr std::string_view kCaNamePrefix = "enigma cluster ";
constexpr size_t kRequestBytesMax = 8192;

absl::Status SetValidity(X509& certificate, absl::Time now) {
  const time_t from = absl::ToTimeT(now - kSkewTolerance);
  const time_t until = absl::ToTimeT(now + kValidity);
  if (ASN1_TIME_set(X509_getm_notBefore(&certificate), from) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(&certificate), until) == nullptr) {
    return OpenSslError("setting a certificate's validity");
  }
  return absl::OkStatus();
}

absl::Status SetRandomSerial(X509& certificate) {
  unsigned char bytes[16];
  SystemRandomBytes(bytes, sizeof bytes);
  bytes[0] &= 0x7f;
  bytes[0] |= 0x40;
  BIGNUM* number = BN_bin2bn(bytes, sizeof bytes, nullptr);
  const bool set = number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(&certificate)) != nullptr;
  BN_free(number);
  return set ? absl::OkStatus() : OpenSslError("setting a certificate's serial number");
}

absl::Status SetCommonName(X509_NAME* name, const std::string& text) {
  if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text.data()),
                                 static_cast<int>(text.size()), -1, 0) != 1) {
    return OpenSslError("naming a certificate");
  }
  return absl::OkStatus();
}

absl::Status AddExtension(X509& certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return OpenSslError(absl::StrCat("extending a certificate with ", value));
  const int added = X509_add_ext(&certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return added == 1 ? absl::OkStatus() : OpenSslError("extending a certificate");
}

absl::StatusOr<std::string> CommonName(const X509_NAME* name) {
  char text[128];
  const int size = X509_NAME_get_text_by_NID(const_cast<X509_NAME*>(name), NID_commonName, text, sizeof text);
  if (size < 0) return absl::InvalidArgumentError("a certificate or request has no common name");
  return std::string(text, static_cast<size_t>(size));
}

absl::StatusOr<X509Ptr> MakeCaCertificate(EVP_PKEY& key, const std::string& cluster_id, absl::Time now) {
  X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ENIGMA_RETURN_IF_ERROR(SetRandomSerial(*certificate));
  ENIGMA_RETURN_IF_ERROR(SetValidity(*certificate, now));
  X509_NAME* name = X509_get_subject_name(certificate.get());
  ENIGMA_RETURN_IF_ERROR(SetCommonName(name, absl::StrCat(ToAbsl(kCaNamePrefix), cluster_id)));
  if (X509_set_issuer_name(certificate.get(), name) != 1 || X509_set_pubkey(certificate.get(), &key) != 1) {
    return OpenSslError("making the CA certificate");
  }
  ENIGMA_RETURN_IF_ERROR(
      AddExtension(*certificate, certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  ENIGMA_RETURN_IF_ERROR(AddExtension(*certificate, certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign"));
  ENIGMA_RETURN_IF_ERROR(AddExtension(*certificate, certificate.get(), NID_subject_key_identifier, "hash"));
  if (X509_sign(certificate.get(), &key, EVP_sha256()) == 0) return OpenSslError("signing the CA certificate");
  return certificate;
}

absl::StatusOr<std::string> NewCaPem(absl::Time now) {
  const PkeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return OpenSslError("making the CA's key");
  std::string id(16, '\0');
  SystemRandomBytes(id.data(), id.size());
  ENIGMA_ASSIGN_OR_RETURN(const X509Ptr certificate, MakeCaCertificate(*key, ToHex(id), now));
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509(bio.get(), certificate.get()) != 1) {
    return OpenSslError("writing the CA");
  }
  return Contents(bio.get());
}

// Everything of a certificate but its extensions and signature.
absl::StatusOr<X509Ptr> NewCertificate(const X509& ca, EVP_PKEY* key, const std::string& common_name, absl::Time now) {
  X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ENIGMA_RETURN_IF_ERROR(SetRandomSerial(*certificate));
  ENIGMA_RETURN_IF_ERROR(SetValidity(*certificate, now));
  ENIGMA_RETURN_IF_ERROR(SetCommonName(X509_get_subject_name(certificate.get()), common_name));
  if (X509_set_issuer_name(certificate.get(), X509_get_subject_name(&ca)) != 1 ||
      X509_set_pubkey(certificate.get(), key) != 1) {
    return OpenSslError("making a certificate");
  }
  return certificate;
}

// What leaves are for, in the words of OpenSSL's configuration.
absl::Status FinishLeaf(X509& certificate, X509* ca, EVP_PKEY* ca_key, const std::string& usage,
                        const std::string& names) {
  ENIGMA_RETURN_IF_ERROR(AddExtension(certificate, ca, NID_basic_constraints, "critical,CA:FALSE"));
  ENIGMA_RETURN_IF_ERROR(AddExtension(certificate, ca, NID_key_usage, "critical,digitalSignature"));
  ENIGMA_RETURN_IF_ERROR(AddExtension(certificate, ca, NID_ext_key_usage, usage));
  ENIGMA_RETURN_IF_ERROR(AddExtension(certificate, ca, NID_authority_key_identifier, "keyid"));
  ENIGMA_RETURN_IF_ERROR(AddExtension(certificate, ca, NID_subject_alt_name, names));
  if (X509_sign(&certificate, ca_key, EVP_sha256()) == 0) return OpenSslError("signing a certificate");
  return absl::OkStatus();
}

// "DNS:host" or "IP:10.0.0.1". INVALID_ARGUMENT for what OpenSSL's configuration would read as something else.
absl::StatusOr<std::string> AlternativeName(const std::string& host) {
  const std::string bare = absl::StartsWith(host, "[") ? host.substr(1, host.size() - 2) : host;
  unsigned char address[16];
  const bool literal =
      inet_pton(AF_INET, bare.c_str(), address) == 1 || inet_pton(AF_INET6, bare.c_str(), address) == 1;
  if (literal) return absl::StrCat("IP:", bare);
  const auto fits = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
  };
  if (bare.empty() || bare.size() > 253 || !std::all_of(bare.begin(), bare.end(), fits)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl::CHexEscape(host), "\" is neither host name nor address"));
  }
  return absl::StrCat("DNS:", bare);
}

// Proof of possession, and the names that the request asks for.
absl::StatusOr<NodeCertificate> ReadRequest(X509_REQ& request) {
  EVP_PKEY* key = X509_REQ_get0_pubkey(&request);
  if (key == nullptr || X509_REQ_verify(&request, key) != 1) {
    return absl::InvalidArgumentError("the certificate request is not signed with the key it asks for");
  }
  if (EVP_PKEY_is_a(key, "EC") != 1 || EVP_PKEY_get_bits(key) != 256) {
    return absl::InvalidArgumentError("the certificate request is for another kind of key than P-256");
  }
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(&request);
  using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;
  const NamesPtr names(static_cast<GENERAL_NAMES*>(X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  std::vector<std::string> uris;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                      static_cast<size_t>(ASN1_STRING_length(text)));
  }
  return ParseNodeUris(uris);
}

}  // namespace

CertificateAuthority::CertificateAuthority(PkeyPtr key, X509Ptr certificate, std::string cluster_id, const Clock& clock)
    : key_(std::move(key)),
      certificate_(std::move(certificate)),
      cluster_id_(std::move(cluster_id)),
      certificate_pem_(CertificatePem(*certificate_)),
      pin_(PublicKeyPin(*certificate_)),
      clock_(clock) {}

absl::StatusOr<std::unique_ptr<CertificateAuthority>> CertificateAuthority::LoadOrCreate(const std::string& pki_dir,
                                                                                         const Clock& clock) {
  const std::string path = absl::StrCat(pki_dir, "/ca.pem");
  absl::StatusOr<std::string> text = ReadPrivateFile(path);
  if (absl::IsNotFound(text.status())) {
    ENIGMA_ASSIGN_OR_RETURN(text, NewCaPem(clock.Now()));
    ENIGMA_RETURN_IF_ERROR(WritePrivateFile(path, *text));
    LogInfo("made a new cluster CA in {}", path);
  }
  if (!text.ok()) return text.status();
  const BioPtr bio = ReadBio(*text);
  PkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr || certificate == nullptr || X509_check_private_key(certificate.get(), key.get()) != 1) {
    return absl::DataLossError(absl::StrCat(path, " is damaged (", OpenSslError("reading it").message(),
                                            "); restore it from a backup, or remove the pki folder to begin a new "
                                            "cluster that every worker must join again"));
  }
  ENIGMA_ASSIGN_OR_RETURN(std::string name, CommonName(X509_get_subject_name(certificate.get())));
  if (!absl::StartsWith(name, ToAbsl(kCaNamePrefix))) {
    return absl::DataLossError(absl::StrCat(path, " is not the CA of an enigma cluster: its name is ", name));
  }
  return absl::WrapUnique(
      new CertificateAuthority(std::move(key), std::move(certificate), name.substr(kCaNamePrefix.size()), clock));
}

absl::StatusOr<std::string> CertificateAuthority::Sign(const std::string& request_pem, std::string_view node_id,
                                                       Role role) const {
  ENIGMA_RETURN_IF_ERROR(CheckNodeId(node_id));
  if (request_pem.size() > kRequestBytesMax) return absl::InvalidArgumentError("the certificate request is too large");
  const BioPtr bio = ReadBio(request_pem);
  const X509RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (request == nullptr) return absl::InvalidArgumentError(OpenSslError("not a PEM certificate request").message());
  ENIGMA_ASSIGN_OR_RETURN(const NodeCertificate wanted, ReadRequest(*request));
  if (wanted.cluster_id != cluster_id_ || wanted.node_id != node_id || wanted.role != role) {
    return absl::InvalidArgumentError(
        absl::StrCat("the certificate request asks for ", NodeUri(wanted.cluster_id, wanted.role, wanted.node_id),
                     ", but what may be issued is ", NodeUri(cluster_id_, role, node_id)));
  }

  ENIGMA_ASSIGN_OR_RETURN(const X509Ptr certificate, NewCertificate(*certificate_, X509_REQ_get0_pubkey(request.get()),
                                                                    std::string(node_id), clock_.Now()));
  std::string names = absl::StrCat("DNS:", AnyNodeTlsName(), ",DNS:", NodeTlsName(node_id), ",DNS:", RoleTlsName(role),
                                   ",URI:", NodeUri(cluster_id_, role, node_id));
  if (!wanted.beacon_public_key.empty()) {
    absl::StrAppend(&names, ",URI:", BeaconKeyUri(cluster_id_, wanted.beacon_public_key));
  }
  ENIGMA_RETURN_IF_ERROR(FinishLeaf(*certificate, certificate_.get(), key_.get(), "serverAuth,clientAuth", names));
  return CertificatePem(*certificate);
}

absl::StatusOr<ServerCertificate> CertificateAuthority::IssueForServer(const std::vector<std::string>& hosts) const {
  if (hosts.empty()) return absl::InvalidArgumentError("a server's certificate needs a host name or address");
  std::string names;
  for (const std::string& host : hosts) {
    ENIGMA_ASSIGN_OR_RETURN(const std::string name, AlternativeName(host));
    absl::StrAppend(&names, names.empty() ? "" : ",", name);
  }
  const PkeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return OpenSslError("making a server's key");
  ENIGMA_ASSIGN_OR_RETURN(const X509Ptr certificate,
                          NewCertificate(*certificate_, key.get(), "enigma server", clock_.Now()));
  ENIGMA_RETURN_IF_ERROR(FinishLeaf(*certificate, certificate_.get(), key_.get(), "serverAuth", names));
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return OpenSslError("writing a server's key");
  }
  return ServerCertificate{CertificatePem(*certificate) + certificate_pem_, Contents(bio.get())};
}

absl::StatusOr<NodeIdentity> CertificateAuthority::Issue(std::string_view node_id, Role role) const {
  ENIGMA_ASSIGN_OR_RETURN(const NodeKeys keys, NodeKeys::Generate());
  ENIGMA_ASSIGN_OR_RETURN(const std::string request, MakeCertificateRequest(keys, cluster_id_, node_id, role));
  ENIGMA_ASSIGN_OR_RETURN(const std::string certificate, Sign(request, node_id, role));
  return AssembleIdentity(keys, certificate, certificate_pem_, clock_.Now());
}

absl::StatusOr<NodeIdentity> CertificateAuthority::LoadOrIssue(const std::string& path, Role role) const {
  absl::StatusOr<NodeIdentity> found = LoadIdentity(path, clock_.Now());
  if (found.ok() && found->role == role && found->ca_certificate_pem == certificate_pem_) return found;
  if (!found.ok() && !absl::IsNotFound(found.status())) return found.status();
  ENIGMA_ASSIGN_OR_RETURN(NodeIdentity made, Issue(MakeNodeId(), role));
  ENIGMA_RETURN_IF_ERROR(SaveIdentity(path, made));
  return made;
}

}  // namespace enigma
