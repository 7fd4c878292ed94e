#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

namespace enigma {

// Lets whoever holds it become a node. As text: "enigma-" and the base64url of
//   version (1 byte, 1) | cluster id (16) | CA pin (32) | token id (8) | secret (32) | first 4 bytes of SHA-256 of
//   these
// The check sum tells a token that was cut in copying from one that is wrong.
struct JoinToken {
  std::string cluster_id;  // 32 hexadecimal digits
  std::string ca_pin;      // 32 bytes; PublicKeyPin of the CA's certificate
  std::string token_id;    // 16 hexadecimal digits; not secret
  std::string secret;      // 32 bytes

  [[nodiscard]] std::string ToText() const;
};

// What the coordinator keeps of a token. It proves nothing: a leaked store lets nobody join.
struct JoinTokenRecord {
  std::string token_id;
  std::string verifier;  // 32 bytes: the Ed25519 public key whose private key is derived from the secret
  absl::Time expires;
};

// A new random token and its record.
struct NewJoinToken {
  JoinToken token;
  JoinTokenRecord record;
};
absl::StatusOr<NewJoinToken> MakeJoinToken(const std::string& cluster_id, const std::string& ca_pin,
                                           absl::Time expires);

// Spaces and line ends around the text are ignored. An error never repeats the secret.
absl::StatusOr<JoinToken> ParseJoinToken(std::string_view text);

// Proof that the caller holds the secret, bound to this request: an Ed25519 signature by the key derived from the
// secret over cluster id, nonce and certificate request. The secret itself does not travel.
absl::StatusOr<std::string> ProveJoin(const JoinToken& token, std::string_view nonce,
                                      std::string_view certificate_request);

// OK, or PERMISSION_DENIED saying that the token is expired or the proof wrong. All inputs but the proof are public, so
// the time this takes tells nothing.
absl::Status VerifyJoin(const JoinTokenRecord& record, const std::string& cluster_id, std::string_view nonce,
                        std::string_view certificate_request, std::string_view proof, absl::Time now);

}  // namespace enigma
