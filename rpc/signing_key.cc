#include "rpc/signing_key.h"

#include <cstdio>
#include <cstdlib>

#include "base/counter_random.h"
#include "rpc/openssl_handles.h"

namespace enigma {
namespace {

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// Ed25519 on inputs of the right size fails only when OpenSSL is broken or memory is out.
[[noreturn]] void Die(std::string_view what) {
  const auto status = OpenSslError(what);
  std::fprintf(stderr, "enigma: %s\n", std::string(status.message().data(), status.message().size()).c_str());
  std::abort();
}

}  // namespace

SigningKey SigningKey::Generate() {
  std::string seed(kSeedBytes, '\0');
  SystemRandomBytes(seed.data(), seed.size());
  auto key = FromSeed(seed);
  if (!key.ok()) Die("making an Ed25519 key");
  return *std::move(key);
}

absl::StatusOr<SigningKey> SigningKey::FromSeed(std::string_view seed) {
  if (seed.size() != kSeedBytes) return absl::InvalidArgumentError("an Ed25519 seed has 32 bytes");
  const PkeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed), seed.size()));
  std::string public_key(kPublicKeyBytes, '\0');
  size_t size = public_key.size();
  if (key == nullptr ||
      EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(public_key.data()), &size) != 1) {
    return OpenSslError("reading an Ed25519 key");
  }
  return SigningKey(std::string(seed), std::move(public_key));
}

std::string SigningKey::Sign(std::string_view message) const {
  const PkeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed_), seed_.size()));
  const DigestContextPtr context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  size_t size = signature.size();
  if (key == nullptr || context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, Bytes(message),
                     message.size()) != 1) {
    Die("signing");
  }
  return signature;
}

bool VerifySignature(std::string_view public_key, std::string_view message, std::string_view signature) {
  if (public_key.size() != SigningKey::kPublicKeyBytes || signature.size() != SigningKey::kSignatureBytes) return false;
  const PkeyPtr key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(public_key), public_key.size()));
  const DigestContextPtr context(EVP_MD_CTX_new());
  if (key == nullptr || context == nullptr) return false;
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message), message.size()) == 1;
}

}  // namespace enigma
