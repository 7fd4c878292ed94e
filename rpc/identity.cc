#include "rpc/identity.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "rpc/openssl_handles.h"
#include "rpc/private_file.h"

namespace enigma {
namespace {

constexpr std::string_view kSeedBlock = "ENIGMA BEACON SEED";

absl::StatusOr<PkeyPtr> ReadPrivateKey(const std::string& pem) {
  const BioPtr bio = ReadBio(pem);
  PkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr) return OpenSslError("reading a private key");
  return key;
}

// The whole PEM block of the given name, empty when there is none. `skip` blocks of that name are passed over.
std::string PemBlock(const std::string& text, std::string_view name, int skip = 0) {
  const std::string begin = absl::StrCat("-----BEGIN ", ToAbsl(name), "-----");
  const std::string end = absl::StrCat("-----END ", ToAbsl(name), "-----\n");
  size_t from = text.find(begin);
  for (; skip > 0 && from != std::string::npos; --skip) from = text.find(begin, from + begin.size());
  if (from == std::string::npos) return "";
  const size_t until = text.find(end, from);
  if (until == std::string::npos) return "";
  return text.substr(from, until + end.size() - from);
}

std::string SeedPem(const SigningKey& key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio(bio.get(), kSeedBlock.data(), "", reinterpret_cast<const unsigned char*>(key.seed().data()),
                static_cast<long>(key.seed().size()));
  return Contents(bio.get());
}

absl::StatusOr<SigningKey> ReadSeed(const std::string& pem) {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  const BioPtr bio = ReadBio(pem);
  if (PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) return OpenSslError("reading the beacon key");
  auto key = SigningKey::FromSeed({reinterpret_cast<const char*>(data), static_cast<size_t>(size)});
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_clear_free(data, static_cast<size_t>(size));
  return key;
}

absl::Status AddAlternativeNames(X509_REQ& request, const std::string& names) {
  using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpenSslDeleter<X509_EXTENSION_free>>;
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str()));
  if (extension == nullptr) return OpenSslError("naming the node in a certificate request");
  STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
  sk_X509_EXTENSION_push(extensions, extension.get());
  const int added = X509_REQ_add_extensions(&request, extensions);
  sk_X509_EXTENSION_free(extensions);
  if (added != 1) return OpenSslError("naming the node in a certificate request");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NodeKeys> NodeKeys::Generate() {
  const PkeyPtr key(EVP_EC_gen("P-256"));
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (key == nullptr ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return OpenSslError("making a P-256 key");
  }
  return NodeKeys{Contents(bio.get()), SigningKey::Generate()};
}

absl::StatusOr<std::string> MakeCertificateRequest(const NodeKeys& keys, std::string_view cluster_id,
                                                   std::string_view node_id, Role role) {
  ENIGMA_RETURN_IF_ERROR(CheckNodeId(node_id));
  ENIGMA_ASSIGN_OR_RETURN(const PkeyPtr key, ReadPrivateKey(keys.tls_private_key_pem));
  const X509RequestPtr request(X509_REQ_new());
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(node_id.data()),
                             static_cast<int>(node_id.size()), -1, 0);
  const std::string names = absl::StrCat("URI:", NodeUri(cluster_id, role, node_id),
                                         ",URI:", BeaconKeyUri(cluster_id, keys.beacon_key.public_key()));
  ENIGMA_RETURN_IF_ERROR(AddAlternativeNames(*request, names));
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0 ||
      PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1) {
    return OpenSslError("making a certificate request");
  }
  return Contents(bio.get());
}

absl::StatusOr<NodeIdentity> AssembleIdentity(const NodeKeys& keys, const std::string& certificate_pem,
                                              const std::string& ca_certificate_pem, absl::Time now) {
  ENIGMA_ASSIGN_OR_RETURN(const PkeyPtr key, ReadPrivateKey(keys.tls_private_key_pem));
  ENIGMA_ASSIGN_OR_RETURN(const X509Ptr leaf, ParseCertificatePem(certificate_pem));
  ENIGMA_ASSIGN_OR_RETURN(const X509Ptr ca, ParseCertificatePem(ca_certificate_pem));
  ENIGMA_ASSIGN_OR_RETURN(const NodeCertificate node, VerifyNodeCertificate(*leaf, *ca, now));
  if (X509_check_private_key(leaf.get(), key.get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the certificate is for another TLS key than this node's");
  }
  if (node.beacon_public_key != keys.beacon_key.public_key()) {
    return absl::InvalidArgumentError("the certificate is for another beacon key than this node's");
  }
  return NodeIdentity{node.cluster_id, node.node_id,       node.role,      keys.tls_private_key_pem,
                      certificate_pem, ca_certificate_pem, keys.beacon_key};
}

absl::Status SaveIdentity(const std::string& path, const NodeIdentity& identity) {
  return WritePrivateFile(path, absl::StrCat(identity.tls_private_key_pem, SeedPem(identity.beacon_key),
                                             identity.certificate_pem, identity.ca_certificate_pem));
}

absl::StatusOr<NodeIdentity> LoadIdentity(const std::string& path, absl::Time now) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, ReadPrivateFile(path));
  const std::string private_key = PemBlock(text, "PRIVATE KEY");
  const std::string seed = PemBlock(text, kSeedBlock);
  const std::string certificate = PemBlock(text, "CERTIFICATE");
  const std::string ca_certificate = PemBlock(text, "CERTIFICATE", 1);
  if (private_key.empty() || seed.empty() || certificate.empty() || ca_certificate.empty()) {
    return absl::DataLossError(absl::StrCat(
        path, " is damaged: it must hold a key, a beacon seed and two certificates; remove it and join again"));
  }
  const auto name_file = [&path](const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  };
  auto beacon_key = ReadSeed(seed);
  if (!beacon_key.ok()) return name_file(beacon_key.status());
  auto identity = AssembleIdentity({private_key, *std::move(beacon_key)}, certificate, ca_certificate, now);
  if (!identity.ok()) return name_file(identity.status());
  return identity;
}

}  // namespace enigma
