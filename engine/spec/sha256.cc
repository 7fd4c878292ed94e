#include <cstdio>
#include <cstdlib>

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <openssl/evp.h>

#include "base/text.h"
#include "engine/spec/manifest.h"

namespace enigma::engine {
namespace {

// SHA-256 of OpenSSL fails only when the library itself is broken or memory is gone.
void Must(int ok) {
  if (ok == 1) return;
  std::fputs("enigma: OpenSSL cannot compute SHA-256\n", stderr);
  std::abort();
}

}  // namespace

Sha256Hasher::Sha256Hasher() : context_(EVP_MD_CTX_new()) {
  Must(context_ != nullptr && EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr) == 1);
}

Sha256Hasher::~Sha256Hasher() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }

void Sha256Hasher::Update(const void* data, size_t size) {
  Must(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), data, size));
}

Sha256 Sha256Hasher::Finish() {
  Sha256 hash;
  Must(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), hash.data(), nullptr));
  return hash;
}

Sha256 Sha256Of(std::string_view bytes) {
  Sha256Hasher hasher;
  hasher.Update(bytes.data(), bytes.size());
  return hasher.Finish();
}

std::string HexOf(const Sha256& hash) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

absl::StatusOr<Sha256> Sha256FromHex(std::string_view hex) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  Sha256 hash;
  if (hex.size() != 2 * hash.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a SHA-256 has ", 2 * hash.size(), " hexadecimal digits, not ", hex.size()));
  }
  for (size_t i = 0; i < hash.size(); ++i) {
    const int high = digit(hex[2 * i]);
    const int low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) {
      return absl::InvalidArgumentError(absl::StrCat("'", absl::CHexEscape(ToAbsl(hex.substr(2 * i, 2))),
                                                     "' is no pair of hexadecimal digits (0-9, a-f)"));
    }
    hash[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return hash;
}

}  // namespace enigma::engine
