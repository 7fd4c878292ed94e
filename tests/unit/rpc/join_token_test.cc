#include "rpc/join_token.h"

#include <string>

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "rpc/signing_key.h"

namespace enigma {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kCluster = "00112233445566778899aabbccddeeff";
const std::string kPin(32, 'p');

NewJoinToken Make(absl::Time expires) {
  auto made = MakeJoinToken(kCluster, kPin, expires);
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

TEST(JoinToken, TextRoundTrip) {
  const JoinToken token = Make(absl::InfiniteFuture()).token;
  EXPECT_THAT(token.ToText(), StartsWith("enigma-"));
  const auto read = ParseJoinToken("  " + token.ToText() + "\n");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->cluster_id, kCluster);
  EXPECT_EQ(read->ca_pin, kPin);
  EXPECT_EQ(read->token_id, token.token_id);
  EXPECT_EQ(read->secret, token.secret);
}

TEST(JoinToken, AnyCutOrChangeIsNoticed) {
  const std::string text = Make(absl::InfiniteFuture()).token.ToText();
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(ParseJoinToken(text.substr(0, size)).ok()) << size;
  for (size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = changed[at] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(ParseJoinToken(changed).ok()) << at;
  }
  EXPECT_FALSE(ParseJoinToken(text + "AAAA").ok());
}

TEST(JoinToken, ErrorsDoNotRepeatTheToken) {
  std::string text = Make(absl::InfiniteFuture()).token.ToText();
  text[text.size() / 2] = text[text.size() / 2] == 'x' ? 'y' : 'x';
  const auto read = ParseJoinToken(text);
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(ToString(read.status().message()), ::testing::Not(HasSubstr(text.substr(90, 10))));
}

TEST(JoinToken, ProofHoldsForThisRequestOnly) {
  const absl::Time now = absl::Now();
  const NewJoinToken made = Make(now + absl::Hours(1));
  const std::string nonce(32, 'n');
  const auto proof = ProveJoin(made.token, nonce, "request");
  ASSERT_TRUE(proof.ok());
  const auto verify = [&](const std::string& cluster, const std::string& n, const std::string& request,
                          const std::string& p,
                          absl::Time at) { return VerifyJoin(made.record, cluster, n, request, p, at); };
  EXPECT_TRUE(verify(kCluster, nonce, "request", *proof, now).ok());
  EXPECT_FALSE(verify(kCluster, nonce, "another", *proof, now).ok());
  EXPECT_FALSE(verify(kCluster, std::string(32, 'm'), "request", *proof, now).ok());
  EXPECT_FALSE(verify(std::string(32, '0'), nonce, "request", *proof, now).ok());
  EXPECT_FALSE(verify(kCluster, nonce, "request", "", now).ok());
  EXPECT_FALSE(verify(kCluster, nonce, "request", std::string(64, '\0'), now).ok());
  EXPECT_FALSE(verify(kCluster, "short", "request", *proof, now).ok());
  const absl::Status late = verify(kCluster, nonce, "request", *proof, now + absl::Hours(2));
  EXPECT_EQ(late.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(ToString(late.message()), HasSubstr("expired 1h ago"));
  // Bytes move between nonce and request: still another message.
  const auto shifted = ProveJoin(made.token, nonce + "r", "equest");
  ASSERT_TRUE(shifted.ok());
  EXPECT_FALSE(verify(kCluster, nonce, "request", *shifted, now).ok());
}

TEST(JoinToken, AnotherTokensProofIsRefused) {
  const NewJoinToken one = Make(absl::InfiniteFuture()), two = Make(absl::InfiniteFuture());
  const std::string nonce(32, 'n');
  const auto proof = ProveJoin(two.token, nonce, "request");
  ASSERT_TRUE(proof.ok());
  EXPECT_FALSE(VerifyJoin(one.record, kCluster, nonce, "request", *proof, absl::Now()).ok());
}

TEST(JoinToken, TheRecordProvesNothing) {
  const NewJoinToken made = Make(absl::InfiniteFuture());
  JoinToken stolen = made.token;
  stolen.secret = made.record.verifier;
  const std::string nonce(32, 'n');
  const auto proof = ProveJoin(stolen, nonce, "request");
  ASSERT_TRUE(proof.ok());
  EXPECT_FALSE(VerifyJoin(made.record, kCluster, nonce, "request", *proof, absl::Now()).ok());
}

TEST(SigningKey, KnownAnswer) {
  // RFC 8032, section 7.1, test 1: the empty message.
  const std::string seed =
      "\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03"
      "\x1c\xae\x7f\x60";
  const auto key = SigningKey::FromSeed(seed);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->public_key().substr(0, 4), "\xd7\x5a\x98\x01");
  EXPECT_EQ(key->Sign("").substr(0, 3), "\xe5\x56\x43");
  EXPECT_TRUE(VerifySignature(key->public_key(), "", key->Sign("")));
  EXPECT_FALSE(VerifySignature(key->public_key(), "x", key->Sign("")));
  EXPECT_FALSE(VerifySignature("short", "", key->Sign("")));
  EXPECT_FALSE(SigningKey::FromSeed("short").ok());
}

}  // namespace
}  // namespace enigma
