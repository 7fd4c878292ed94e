#include "rpc/server_certificate.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "rpc/certificate.h"
#include "rpc/openssl_handles.h"
#include "telemetry/log.h"

namespace enigma {
namespace {

constexpr size_t kFileBytesMax = size_t{1} << 20;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": it is a folder, not a file"));
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text(kFileBytesMax, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": it cannot be read: ", errno == 0 ? "no reason is given" : std::strerror(errno)));
  }
  if (!in.eof()) return absl::InvalidArgumentError(absl::StrCat(path, ": it is larger than 1 MiB"));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

// A key that wants a pass phrase would be asked for on the terminal.
int NoPassPhrase(char*, int, int, void*) { return -1; }

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  return time != nullptr && ASN1_TIME_to_tm(time, &parts) == 1 ? absl::FromTM(parts, absl::UTCTimeZone())
                                                               : absl::InfinitePast();
}

absl::Status Wrong(std::string_view file, std::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(file), ": ", ToAbsl(what)));
}

// Every certificate of the text, at least one. As OpenSSL reads a chain: text without a block may follow, a block that
// is broken may not.
absl::StatusOr<std::vector<X509Ptr>> ParseChain(std::string_view pem, std::string_view chain_name) {
  const BioPtr bio = ReadBio(pem);
  std::vector<X509Ptr> chain;
  for (;;) {
    ERR_clear_error();
    X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, &NoPassPhrase, nullptr));
    if (certificate == nullptr) break;
    chain.push_back(std::move(certificate));
  }
  const unsigned long error = ERR_peek_last_error();
  if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
    const std::string which = absl::StrCat("certificate ", chain.size() + 1, " in it cannot be read");
    return Wrong(chain_name, ToString(OpenSslError(which).message()));
  }
  if (chain.empty()) return Wrong(chain_name, "it holds no PEM certificate (-----BEGIN CERTIFICATE-----)");
  return chain;
}

// Whether TLS would show them: OpenSSL's security level refuses keys that are too small and signatures that are weak.
absl::Status CheckForTls(const std::vector<X509Ptr>& chain, EVP_PKEY* key, std::string_view chain_name,
                         std::string_view key_name) {
  ERR_clear_error();
  const SslContextPtr tls(SSL_CTX_new(TLS_server_method()));
  if (tls == nullptr) return OpenSslError("making a TLS context");
  for (size_t i = 0; i < chain.size(); ++i) {
    X509* const certificate = chain[i].get();
    const bool taken = i == 0 ? SSL_CTX_use_certificate(tls.get(), certificate) == 1
                              : SSL_CTX_add1_chain_cert(tls.get(), certificate) == 1;
    if (taken) continue;
    const std::string which = absl::StrCat("TLS refuses certificate ", i + 1, " in it");
    return Wrong(chain_name, ToString(OpenSslError(which).message()));
  }
  if (SSL_CTX_use_PrivateKey(tls.get(), key) != 1 || SSL_CTX_check_private_key(tls.get()) != 1) {
    return Wrong(key_name, ToString(OpenSslError("TLS refuses the private key").message()));
  }
  return absl::OkStatus();
}

// The certificates and the key alone, without what else their files hold.
absl::StatusOr<ServerCertificate> Checked(const ServerCertificate& certificate, std::string_view chain_name,
                                          std::string_view key_name, absl::Time now) {
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain, ParseChain(certificate.chain_pem, chain_name));
  X509* const leaf = chain.front().get();
  const BioPtr bio = ReadBio(certificate.private_key_pem);
  const PkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassPhrase, nullptr));
  if (key == nullptr) {
    const bool encrypted = certificate.private_key_pem.find("ENCRYPTED") != std::string::npos;
    return Wrong(key_name, encrypted ? "the private key is encrypted; store it without a pass phrase"
                                     : "it holds no PEM private key (-----BEGIN PRIVATE KEY-----)");
  }
  if (X509_check_private_key(leaf, key.get()) != 1) {
    return Wrong(key_name, absl::StrCat("the private key does not belong to the certificate in ", ToAbsl(chain_name),
                                        " (the server's own certificate has to stand first there)"));
  }
  const auto instant = [](absl::Time time) {
    return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone());
  };
  const absl::Time from = TimeOf(X509_get0_notBefore(leaf));
  const absl::Time until = TimeOf(X509_get0_notAfter(leaf));
  if (now < from) {
    return Wrong(chain_name, absl::StrCat("the certificate is not valid before ", instant(from),
                                          ", and this machine's clock says ", instant(now)));
  }
  if (now > until) {
    return Wrong(chain_name, absl::StrCat("the certificate expired at ", instant(until),
                                          ", and this machine's clock says ", instant(now)));
  }
  ENIGMA_RETURN_IF_ERROR(CheckForTls(chain, key.get(), chain_name, key_name));
  ServerCertificate alone;
  for (const X509Ptr& one : chain) alone.chain_pem += CertificatePem(*one);
  const BioPtr written(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(written.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Wrong(key_name, ToString(OpenSslError("the private key cannot be copied").message()));
  }
  alone.private_key_pem = Contents(written.get());
  return alone;
}

}  // namespace

absl::Status CheckServerCertificate(const ServerCertificate& certificate, std::string_view chain_name,
                                    std::string_view key_name, absl::Time now) {
  return Checked(certificate, chain_name, key_name, now).status();
}

ServerCertificateFiles::ServerCertificateFiles(std::string chain_path, std::string key_path)
    : chain_path_(std::move(chain_path)), key_path_(std::move(key_path)) {}

ServerCertificateFiles::Stamp ServerCertificateFiles::StampNow() const {
  std::error_code ignored;  // a file that is missing has the earliest time, and reading it says why
  return {std::filesystem::last_write_time(chain_path_, ignored), std::filesystem::last_write_time(key_path_, ignored)};
}

absl::StatusOr<ServerCertificate> ServerCertificateFiles::ReadLocked(absl::Time now) {
  stamp_ = StampNow();
  ServerCertificate certificate;
  ENIGMA_ASSIGN_OR_RETURN(certificate.chain_pem, ReadFile(chain_path_));
  ENIGMA_ASSIGN_OR_RETURN(certificate.private_key_pem, ReadFile(key_path_));
  return Checked(certificate, chain_path_, key_path_, now);
}

absl::StatusOr<ServerCertificate> ServerCertificateFiles::Read(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  return ReadLocked(now);
}

std::optional<ServerCertificate> ServerCertificateFiles::Renewed(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  if (StampNow() == stamp_) return std::nullopt;
  absl::StatusOr<ServerCertificate> certificate = ReadLocked(now);
  if (!certificate.ok()) {
    LogWarn("the TLS certificate was changed and is not taken over: {}", Describe(certificate.status()));
    return std::nullopt;
  }
  LogInfo("the TLS certificate in {} was changed; new connections are shown the new one", chain_path_);
  return *std::move(certificate);
}

}  // namespace enigma
