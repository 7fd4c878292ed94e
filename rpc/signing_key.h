#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace enigma {

// An Ed25519 key (RFC 8032): signs beacons and proofs of a join token. Immutable, so thread-safe.
class SigningKey {
 public:
  static constexpr size_t kSeedBytes = 32;
  static constexpr size_t kPublicKeyBytes = 32;
  static constexpr size_t kSignatureBytes = 64;

  static SigningKey Generate();
  static absl::StatusOr<SigningKey> FromSeed(std::string_view seed);

  [[nodiscard]] const std::string& seed() const { return seed_; }
  [[nodiscard]] const std::string& public_key() const { return public_key_; }
  [[nodiscard]] std::string Sign(std::string_view message) const;

 private:
  SigningKey(std::string seed, std::string public_key) : seed_(std::move(seed)), public_key_(std::move(public_key)) {}

  std::string seed_;
  std::string public_key_;
};

// False for a wrong signature and for keys or signatures of a wrong size.
bool VerifySignature(std::string_view public_key, std::string_view message, std::string_view signature);

}  // namespace enigma
