#include "rpc/certificate_facts.h"

#include <arpa/inet.h>

#include <array>
#include <ctime>

#include <openssl/err.h>

#include "base/status_macros.h"
#include "rpc/certificate.h"
#include "rpc/digest.h"

namespace enigma {
namespace {

constexpr int kIpv4Bytes = 4;
constexpr int kIpv6Bytes = 16;

absl::StatusOr<absl::Time> InstantOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return OpenSslError("reading a certificate's validity");
  return absl::FromTM(parts, absl::UTCTimeZone());
}

// Empty where the bytes are no address.
std::string AddressText(const ASN1_OCTET_STRING* bytes) {
  const int size = ASN1_STRING_length(bytes);
  if (size != kIpv4Bytes && size != kIpv6Bytes) return "";
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = size == kIpv4Bytes ? AF_INET : AF_INET6;
  return inet_ntop(family, ASN1_STRING_get0_data(bytes), text.data(), text.size()) == nullptr ? "" : text.data();
}

std::string NameText(const GENERAL_NAME* name) {
  if (name->type == GEN_IPADD) return AddressText(name->d.iPAddress);
  if (name->type != GEN_DNS) return "";
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
          static_cast<size_t>(ASN1_STRING_length(name->d.dNSName))};
}

}  // namespace

absl::StatusOr<CertificateFacts> FactsOf(X509& certificate) {
  using NamesPtr = std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>>;
  CertificateFacts facts;
  ENIGMA_ASSIGN_OR_RETURN(facts.from, InstantOf(X509_get0_notBefore(&certificate)));
  ENIGMA_ASSIGN_OR_RETURN(facts.until, InstantOf(X509_get0_notAfter(&certificate)));
  facts.digest = Sha256(CertificateDer(certificate));
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    std::string name = NameText(sk_GENERAL_NAME_value(names.get(), i));
    if (!name.empty()) facts.names.push_back(std::move(name));
  }
  return facts;
}

bool CoversHost(X509& certificate, const std::string& host) {
  in6_addr ignored;
  const bool literal =
      inet_pton(AF_INET, host.c_str(), &ignored) == 1 || inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
  const int covered =
      literal ? X509_check_ip_asc(&certificate, host.c_str(), 0)
              : X509_check_host(&certificate, host.data(), host.size(),
                                X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr);
  ERR_clear_error();
  return covered == 1;
}

}  // namespace enigma
