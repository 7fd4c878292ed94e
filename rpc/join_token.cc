#include "rpc/join_token.h"

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <openssl/crypto.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "rpc/digest.h"
#include "rpc/signing_key.h"

namespace enigma {
namespace {

constexpr std::string_view kPrefix = "enigma-";
constexpr char kVersion = 1;
constexpr size_t kClusterBytes = 16, kPinBytes = 32, kIdBytes = 8, kSecretBytes = 32, kSumBytes = 4;
constexpr size_t kTokenBytes = 1 + kClusterBytes + kPinBytes + kIdBytes + kSecretBytes + kSumBytes;
constexpr size_t kNonceBytesMin = 16, kNonceBytesMax = 64;

std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  SystemRandomBytes(bytes.data(), bytes.size());
  return bytes;
}

std::string CheckSum(std::string_view body) { return Sha256(body).substr(0, kSumBytes); }

// The text before the secret separates this use of SHA-256 from any other.
absl::StatusOr<SigningKey> KeyOfSecret(const std::string& secret) {
  return SigningKey::FromSeed(Sha256("enigma join token v1" + secret));
}

// Lengths precede the parts, so that no two requests have one message.
std::string Message(const std::string& cluster_id, std::string_view nonce, std::string_view certificate_request) {
  return absl::StrCat("enigma join v1\n", cluster_id, "\n", nonce.size(), "\n", certificate_request.size(), "\n",
                      ToAbsl(nonce), ToAbsl(certificate_request));
}

}  // namespace

std::string JoinToken::ToText() const {
  const std::string body = absl::StrCat(std::string(1, kVersion), absl::HexStringToBytes(cluster_id), ca_pin,
                                        absl::HexStringToBytes(token_id), secret);
  return absl::StrCat(ToAbsl(kPrefix), absl::WebSafeBase64Escape(body + CheckSum(body)));
}

absl::StatusOr<NewJoinToken> MakeJoinToken(const std::string& cluster_id, const std::string& ca_pin,
                                           absl::Time expires) {
  if (cluster_id.size() != 2 * kClusterBytes || ca_pin.size() != kPinBytes) {
    return absl::InvalidArgumentError("a join token needs a cluster id of 32 digits and a CA pin of 32 bytes");
  }
  JoinToken token{cluster_id, ca_pin, ToHex(RandomBytes(kIdBytes)), RandomBytes(kSecretBytes)};
  ENIGMA_ASSIGN_OR_RETURN(const SigningKey key, KeyOfSecret(token.secret));
  JoinTokenRecord record{token.token_id, key.public_key(), expires};
  return NewJoinToken{std::move(token), std::move(record)};
}

absl::StatusOr<JoinToken> ParseJoinToken(std::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(ToAbsl(text));
  if (!absl::StartsWith(rest, ToAbsl(kPrefix))) {
    return absl::InvalidArgumentError("a join token begins with \"enigma-\"; make one with: enigma token create");
  }
  rest.remove_prefix(kPrefix.size());
  std::string bytes;
  const bool decoded = absl::WebSafeBase64Unescape(rest, &bytes);
  if (decoded && !bytes.empty() && bytes[0] != kVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("the join token is of version ", static_cast<int>(static_cast<unsigned char>(bytes[0])),
                     " and this program reads version 1; use the same release on both machines"));
  }
  const std::string body = bytes.substr(0, bytes.size() < kSumBytes ? 0 : bytes.size() - kSumBytes);
  if (!decoded || bytes.size() != kTokenBytes || bytes.substr(body.size()) != CheckSum(body)) {
    return absl::InvalidArgumentError("the join token is damaged: part of it was lost or changed in copying");
  }
  size_t at = 1;
  const auto take = [&](size_t size) {
    at += size;
    return body.substr(at - size, size);
  };
  JoinToken token;
  token.cluster_id = ToHex(take(kClusterBytes));
  token.ca_pin = take(kPinBytes);
  token.token_id = ToHex(take(kIdBytes));
  token.secret = take(kSecretBytes);
  return token;
}

absl::StatusOr<std::string> ProveJoin(const JoinToken& token, std::string_view nonce,
                                      std::string_view certificate_request) {
  ENIGMA_ASSIGN_OR_RETURN(const SigningKey key, KeyOfSecret(token.secret));
  return key.Sign(Message(token.cluster_id, nonce, certificate_request));
}

absl::Status VerifyJoin(const JoinTokenRecord& record, const std::string& cluster_id, std::string_view nonce,
                        std::string_view certificate_request, std::string_view proof, absl::Time now) {
  if (nonce.size() < kNonceBytesMin || nonce.size() > kNonceBytesMax) {
    return absl::InvalidArgumentError("the nonce of a join request has 16 to 64 bytes");
  }
  if (!VerifySignature(record.verifier, Message(cluster_id, nonce, certificate_request), proof)) {
    return absl::PermissionDeniedError("the join token is not valid: its secret is wrong");
  }
  if (now >= record.expires) {
    return absl::PermissionDeniedError(absl::StrCat(
        "the join token expired ", absl::FormatDuration(absl::Floor(now - record.expires, absl::Seconds(1))),
        " ago; make a new one with: enigma token create"));
  }
  return absl::OkStatus();
}

}  // namespace enigma
