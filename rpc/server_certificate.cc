#include "rpc/server_certificate.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <absl/strings/str_cat.h>
#include <openssl/err.h>
#include <openssl/pem.h>

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

}  // namespace

absl::Status CheckServerCertificate(const ServerCertificate& certificate, std::string_view chain_name,
                                    std::string_view key_name, absl::Time now) {
  const absl::StatusOr<X509Ptr> leaf = ParseCertificatePem(certificate.chain_pem);
  if (!leaf.ok()) return Wrong(chain_name, "it holds no PEM certificate (-----BEGIN CERTIFICATE-----)");
  const BioPtr bio = ReadBio(certificate.private_key_pem);
  const PkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassPhrase, nullptr));
  if (key == nullptr) {
    const bool encrypted = certificate.private_key_pem.find("ENCRYPTED") != std::string::npos;
    return Wrong(key_name, encrypted ? "the private key is encrypted; store it without a pass phrase"
                                     : "it holds no PEM private key (-----BEGIN PRIVATE KEY-----)");
  }
  if (X509_check_private_key(leaf->get(), key.get()) != 1) {
    return Wrong(key_name, absl::StrCat("the private key does not belong to the certificate in ", ToAbsl(chain_name),
                                        " (the server's own certificate has to stand first there)"));
  }
  const auto instant = [](absl::Time time) {
    return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone());
  };
  const absl::Time from = TimeOf(X509_get0_notBefore(leaf->get()));
  const absl::Time until = TimeOf(X509_get0_notAfter(leaf->get()));
  if (now < from) {
    return Wrong(chain_name, absl::StrCat("the certificate is not valid before ", instant(from),
                                          ", and this machine's clock says ", instant(now)));
  }
  if (now > until) {
    return Wrong(chain_name, absl::StrCat("the certificate expired at ", instant(until),
                                          ", and this machine's clock says ", instant(now)));
  }
  return absl::OkStatus();
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
  ENIGMA_RETURN_IF_ERROR(CheckServerCertificate(certificate, chain_path_, key_path_, now));
  return certificate;
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
