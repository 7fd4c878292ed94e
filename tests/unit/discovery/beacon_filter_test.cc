#include "discovery/beacon_filter.h"

#include <algorithm>
#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/discovery/cluster_fixture.h"

namespace enigma {
namespace {

using ::testing::HasSubstr;

const absl::Time kStart = absl::Now();
constexpr uint64_t kEpoch = 1'000;

v1::BeaconBody BodyOf(const NodeIdentity& identity, uint64_t epoch, uint64_t sequence, absl::Time sent) {
  const auto leaf = ParseCertificatePem(identity.certificate_pem);
  const auto ca = ParseCertificatePem(identity.ca_certificate_pem);
  v1::BeaconBody body;
  body.set_cluster_hash(ClusterHash(identity.cluster_id));
  body.set_node_id(identity.node_id);
  body.set_role(std::string(RoleName(identity.role)));
  body.set_grpc_port(50053);
  body.set_epoch(epoch);
  body.set_sequence(sequence);
  body.set_sent_unix_ms(absl::ToUnixMillis(sent));
  body.set_nonce("12345678");
  body.set_certificate(CertificateDer(**leaf));
  body.set_certificate_hash(Sha256(body.certificate()));
  if (identity.role == Role::kCoordinator) body.set_ca_pin(PublicKeyPin(**ca));
  return body;
}

std::string Encode(const v1::BeaconBody& body, const SigningKey* key) {
  auto datagram = EncodeBeacon(body, key);
  EXPECT_TRUE(datagram.ok()) << datagram.status();
  return *std::move(datagram);
}

class BeaconFilterTest : public testing::Test {
 protected:
  std::string Beacon(const NodeIdentity& identity, uint64_t sequence, absl::Time sent = kStart,
                     uint64_t epoch = kEpoch) const {
    return Encode(BodyOf(identity, epoch, sequence, sent), &identity.beacon_key);
  }

  BeaconFilter::Options Joined() const {
    BeaconFilter::Options options;
    options.cluster_id = ours_.ca().cluster_id();
    options.ca_certificate_pem = ours_.ca().certificate_pem();
    options.own_node_id = "listener";
    options.own_epoch = 5;
    return options;
  }

  static BeaconFilter Make(BeaconFilter::Options options) {
    auto filter = BeaconFilter::Create(std::move(options));
    EXPECT_TRUE(filter.ok()) << filter.status();
    return *std::move(filter);
  }

  std::string Hello(size_t padding) const {
    v1::BeaconBody body;
    body.set_kind(v1::BeaconBody::HELLO);
    body.set_cluster_hash(ClusterHash(ours_.ca().cluster_id()));
    body.set_node_id("newcomer");
    body.set_role("worker");
    body.set_nonce("12345678");
    body.set_padding(std::string(padding, '\0'));
    return Encode(body, nullptr);
  }

  TestCluster ours_, theirs_;
  NodeIdentity worker_ = ours_.Issue("worker-1", Role::kWorker);
};

TEST_F(BeaconFilterTest, GenuineBeaconsFit) {
  const NodeIdentity longest = ours_.Issue(std::string(40, 'n'), Role::kCoordinator);
  const std::string datagram = Beacon(longest, UINT64_MAX, kStart, UINT64_MAX);
  EXPECT_LE(datagram.size(), kBeaconBytesMax);
  BeaconFilter filter = Make(Joined());
  const BeaconDecision decision = filter.Accept(datagram, "10.0.0.1", kStart);
  EXPECT_EQ(decision.verdict, BeaconVerdict::kAccepted);
  EXPECT_TRUE(decision.verified);
  EXPECT_EQ(decision.body.node_id(), longest.node_id);
}

TEST_F(BeaconFilterTest, OnePacketEach) {
  const NodeIdentity foreigner = theirs_.Issue("worker-1", Role::kWorker);
  const NodeIdentity other = ours_.Issue("worker-2", Role::kWorker);
  const NodeIdentity self = ours_.Issue("listener", Role::kWorker);
  const auto changed = [&](const std::function<void(v1::BeaconBody&)>& change) {
    v1::BeaconBody body = BodyOf(worker_, kEpoch, 1, kStart);
    change(body);
    return Encode(body, &worker_.beacon_key);
  };
  const std::string genuine = Beacon(worker_, 1);
  // A foreign node that knows our cluster's id still cannot sign as ours.
  v1::BeaconBody disguised = BodyOf(foreigner, kEpoch, 1, kStart);
  disguised.set_cluster_hash(ClusterHash(ours_.ca().cluster_id()));

  const struct {
    const char* what;
    std::string datagram;
    BeaconVerdict expected;
  } cases[] = {
      {"genuine", genuine, BeaconVerdict::kAccepted},
      {"empty", "", BeaconVerdict::kMalformed},
      {"noise", std::string(700, '\x7f'), BeaconVerdict::kMalformed},
      {"another version", "EnB2" + genuine.substr(4), BeaconVerdict::kWrongVersion},
      {"oversized", genuine + std::string(kBeaconBytesMax, 'x'), BeaconVerdict::kOversized},
      {"foreign cluster", Beacon(foreigner, 1), BeaconVerdict::kForeignCluster},
      {"foreign in disguise", Encode(disguised, &foreigner.beacon_key), BeaconVerdict::kUnknownKey},
      {"unsigned", Encode(BodyOf(worker_, kEpoch, 1, kStart), nullptr), BeaconVerdict::kForged},
      {"another's key", Encode(BodyOf(worker_, kEpoch, 1, kStart), &other.beacon_key), BeaconVerdict::kForged},
      {"another's id", changed([](v1::BeaconBody& body) { body.set_node_id("worker-2"); }), BeaconVerdict::kForged},
      {"higher role", changed([](v1::BeaconBody& body) { body.set_role("coordinator"); }), BeaconVerdict::kForged},
      {"no certificate", changed([](v1::BeaconBody& body) { body.clear_certificate(); }), BeaconVerdict::kUnknownKey},
      {"wrong hash", changed([](v1::BeaconBody& body) { body.set_certificate_hash(std::string(32, 'h')); }),
       BeaconVerdict::kUnknownKey},
      {"garbled certificate", changed([](v1::BeaconBody& body) {
         body.set_certificate("not a certificate");
         body.set_certificate_hash(Sha256(body.certificate()));
       }),
       BeaconVerdict::kForged},
      {"port 0", changed([](v1::BeaconBody& body) { body.set_grpc_port(0); }), BeaconVerdict::kMalformed},
      {"port too high", changed([](v1::BeaconBody& body) { body.set_grpc_port(65536); }), BeaconVerdict::kMalformed},
      {"unknown role", changed([](v1::BeaconBody& body) { body.set_role("king"); }), BeaconVerdict::kMalformed},
      {"evil id", changed([](v1::BeaconBody& body) { body.set_node_id("a\nb"); }), BeaconVerdict::kMalformed},
      {"short hash", changed([](v1::BeaconBody& body) { body.set_cluster_hash("x"); }), BeaconVerdict::kMalformed},
      {"from long ago", Beacon(worker_, 1, kStart - absl::Minutes(2)), BeaconVerdict::kStale},
      {"from the future", Beacon(worker_, 1, kStart + absl::Minutes(2)), BeaconVerdict::kStale},
      {"own", Beacon(self, 1, kStart, 5), BeaconVerdict::kOwn},
      {"own id, another process", Beacon(self, 1, kStart, 6), BeaconVerdict::kDuplicateNode},
      {"small hello", Hello(10), BeaconVerdict::kMalformed},
      {"hello", Hello(kHelloBytesMin), BeaconVerdict::kHello},
  };
  for (const auto& one : cases) {
    BeaconFilter filter = Make(Joined());
    const BeaconDecision decision = filter.Accept(one.datagram, "10.0.0.1", kStart);
    EXPECT_STREQ(VerdictName(decision.verdict), VerdictName(one.expected)) << one.what;
    EXPECT_EQ(decision.verified, one.expected == BeaconVerdict::kAccepted) << one.what;
    // A packet that was refused leaves no trace: the genuine one is still accepted.
    if (IsDropped(one.expected)) {
      EXPECT_EQ(filter.Accept(genuine, "10.0.0.1", kStart).verdict, BeaconVerdict::kAccepted) << one.what;
    }
  }
}

TEST_F(BeaconFilterTest, NoTruncationAndNoFlippedBitIsAccepted) {
  const std::string genuine = Beacon(worker_, 1);
  BeaconFilter::Options options = Joined();
  options.per_source = {.per_second = 1e6, .burst = 1e6};
  BeaconFilter filter = Make(options);
  for (size_t size = 0; size < genuine.size(); ++size) {
    const auto verdict = filter.Accept(genuine.substr(0, size), "10.0.0.1", kStart).verdict;
    EXPECT_TRUE(IsDropped(verdict)) << size << " " << VerdictName(verdict);
  }
  for (size_t at = 0; at < genuine.size(); ++at) {
    std::string flipped = genuine;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    const auto verdict = filter.Accept(flipped, "10.0.0.1", kStart).verdict;
    EXPECT_TRUE(IsDropped(verdict)) << at << " " << VerdictName(verdict);
  }
  EXPECT_EQ(filter.Accept(genuine, "10.0.0.1", kStart).verdict, BeaconVerdict::kAccepted);
}

TEST_F(BeaconFilterTest, CopiesAreTakenAndReplaysAreNot) {
  BeaconFilter filter = Make(Joined());
  const std::string first = Beacon(worker_, 1), second = Beacon(worker_, 2, kStart + absl::Seconds(1));
  EXPECT_EQ(filter.Accept(first, "10.0.0.1", kStart).verdict, BeaconVerdict::kAccepted);
  EXPECT_EQ(filter.Accept(first, "192.168.0.1", kStart).verdict, BeaconVerdict::kRepeated) << "another path";
  EXPECT_EQ(filter.Accept(first, "10.9.9.9", kStart + absl::Seconds(2)).verdict, BeaconVerdict::kReplayed);
  EXPECT_EQ(filter.Accept(second, "10.0.0.1", kStart + absl::Seconds(2)).verdict, BeaconVerdict::kAccepted);
  EXPECT_EQ(filter.Accept(first, "10.9.9.9", kStart + absl::Seconds(4)).verdict, BeaconVerdict::kReplayed);
  EXPECT_EQ(filter.Accept(second, "10.9.9.9", kStart + absl::Seconds(4)).verdict, BeaconVerdict::kReplayed);
  EXPECT_EQ(filter.Accept(second, "10.9.9.9", kStart + absl::Hours(1)).verdict, BeaconVerdict::kStale);
}

TEST_F(BeaconFilterTest, OvertakenBeaconsAreTakenOnce) {
  BeaconFilter filter = Make(Joined());
  EXPECT_EQ(filter.Accept(Beacon(worker_, 10), "10.0.0.1", kStart).verdict, BeaconVerdict::kAccepted);
  EXPECT_EQ(filter.Accept(Beacon(worker_, 8), "10.0.0.1", kStart).verdict, BeaconVerdict::kAccepted);
  const absl::Time later = kStart + absl::Seconds(3);
  EXPECT_EQ(filter.Accept(Beacon(worker_, 8), "10.0.0.1", later).verdict, BeaconVerdict::kReplayed);
  EXPECT_EQ(filter.Accept(Beacon(worker_, 100), "10.0.0.1", later).verdict, BeaconVerdict::kAccepted);
  EXPECT_EQ(filter.Accept(Beacon(worker_, 9), "10.0.0.1", later).verdict, BeaconVerdict::kReplayed) << "too far behind";
}

TEST_F(BeaconFilterTest, ARestartIsNewsAndTheOldProcessIsNot) {
  BeaconFilter filter = Make(Joined());
  const auto at = [](int seconds) { return kStart + absl::Seconds(seconds); };
  EXPECT_EQ(filter.Accept(Beacon(worker_, 50, at(0), 100), "10.0.0.1", at(0)).verdict, BeaconVerdict::kAccepted);
  EXPECT_EQ(filter.Accept(Beacon(worker_, 1, at(2), 200), "10.0.0.1", at(2)).verdict, BeaconVerdict::kAccepted);
  // What the first process had sent before its end.
  EXPECT_EQ(filter.Accept(Beacon(worker_, 51, at(1), 100), "10.0.0.1", at(2)).verdict, BeaconVerdict::kReplayed);
  // After a silence a process whose clock was set back is believed.
  EXPECT_EQ(filter.Accept(Beacon(worker_, 1, at(20), 150), "10.0.0.1", at(20)).verdict, BeaconVerdict::kAccepted);
}

TEST_F(BeaconFilterTest, TwoLiveProcessesWithOneIdAreNamed) {
  const auto at = [](int seconds) { return kStart + absl::Seconds(seconds); };
  {
    SCOPED_TRACE("a copied data folder: one key");
    BeaconFilter filter = Make(Joined());
    EXPECT_EQ(filter.Accept(Beacon(worker_, 1, at(0), 200), "10.0.0.1", at(0)).verdict, BeaconVerdict::kAccepted);
    const BeaconDecision clone = filter.Accept(Beacon(worker_, 9, at(1), 100), "10.0.0.2", at(1));
    EXPECT_EQ(clone.verdict, BeaconVerdict::kDuplicateNode);
    EXPECT_THAT(clone.event, HasSubstr("worker-1"));
    EXPECT_THAT(clone.event, HasSubstr("10.0.0.2"));
  }
  {
    SCOPED_TRACE("one id given twice: two keys");
    const NodeIdentity namesake = ours_.Issue("worker-1", Role::kWorker);
    BeaconFilter filter = Make(Joined());
    EXPECT_EQ(filter.Accept(Beacon(worker_, 1, at(0)), "10.0.0.1", at(0)).verdict, BeaconVerdict::kAccepted);
    EXPECT_EQ(filter.Accept(Beacon(namesake, 1, at(1)), "10.0.0.2", at(1)).verdict, BeaconVerdict::kDuplicateNode);
    EXPECT_EQ(filter.Accept(Beacon(worker_, 2, at(2)), "10.0.0.1", at(2)).verdict, BeaconVerdict::kAccepted);
    // Once the first has gone, the other one may have the name.
    EXPECT_EQ(filter.Accept(Beacon(namesake, 2, at(10)), "10.0.0.2", at(10)).verdict, BeaconVerdict::kAccepted);
  }
}

TEST_F(BeaconFilterTest, AFloodIsHeldBackPerSource) {
  BeaconFilter filter = Make(Joined());
  const std::string forged = Encode(BodyOf(worker_, kEpoch, 1, kStart), nullptr);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    if (filter.Accept(forged, "10.6.6.6", kStart).verdict == BeaconVerdict::kRateLimited) ++refused;
  }
  EXPECT_EQ(refused, 1600);
  EXPECT_EQ(filter.Accept(Beacon(worker_, 1), "10.0.0.1", kStart).verdict, BeaconVerdict::kAccepted);
}

TEST_F(BeaconFilterTest, HellosAreBoundedPerSourceAndInAll) {
  BeaconFilter filter = Make(Joined());
  const std::string hello = Hello(kHelloBytesMin);
  const auto answered = [&](int sources, absl::Time now) {
    int count = 0;
    for (int source = 0; source < sources; ++source) {
      for (int i = 0; i < 20; ++i) {
        if (filter.Accept(hello, "10.1.0." + std::to_string(source), now).verdict == BeaconVerdict::kHello) ++count;
      }
    }
    return count;
  };
  EXPECT_EQ(answered(1, kStart), 12);
  EXPECT_EQ(answered(200, kStart), 88);
  EXPECT_EQ(answered(200, kStart + absl::Seconds(1)), 50);
}

TEST_F(BeaconFilterTest, MemoryIsBounded) {
  BeaconFilter::Options options = Joined();
  options.nodes_max = 2;
  BeaconFilter filter = Make(options);
  const NodeIdentity second = ours_.Issue("worker-2", Role::kWorker), third = ours_.Issue("worker-3", Role::kWorker);
  EXPECT_EQ(filter.Accept(Beacon(worker_, 1), "10.0.0.1", kStart).verdict, BeaconVerdict::kAccepted);
  EXPECT_EQ(filter.Accept(Beacon(second, 1), "10.0.0.2", kStart).verdict, BeaconVerdict::kAccepted);
  EXPECT_EQ(filter.Accept(Beacon(third, 1), "10.0.0.3", kStart).verdict, BeaconVerdict::kTableFull);
  const absl::Time later = kStart + absl::Minutes(5);
  EXPECT_EQ(filter.Accept(Beacon(third, 2, later), "10.0.0.3", later).verdict, BeaconVerdict::kAccepted);
}

TEST_F(BeaconFilterTest, WithATokenOnlyThePinnedCoordinatorIsAHint) {
  BeaconFilter::Options options;
  options.cluster_id = ours_.ca().cluster_id();
  options.ca_pin = ours_.ca().pin();
  options.own_node_id = "newcomer";
  const NodeIdentity boss = ours_.Issue("boss", Role::kCoordinator);
  v1::BeaconBody wrong_pin = BodyOf(boss, kEpoch, 1, kStart);
  wrong_pin.set_ca_pin(theirs_.ca().pin());
  BeaconFilter filter = Make(options);
  EXPECT_EQ(filter.Accept(Beacon(worker_, 1), "10.0.0.1", kStart).verdict, BeaconVerdict::kUnknownKey);
  EXPECT_EQ(filter.Accept(Encode(wrong_pin, &boss.beacon_key), "10.0.0.1", kStart).verdict, BeaconVerdict::kUnknownKey);
  EXPECT_EQ(filter.Accept(Encode(BodyOf(boss, kEpoch, 1, kStart), nullptr), "10.0.0.1", kStart).verdict,
            BeaconVerdict::kForged);
  const BeaconDecision decision = filter.Accept(Beacon(boss, 1), "10.0.0.1", kStart);
  EXPECT_EQ(decision.verdict, BeaconVerdict::kAccepted);
  EXPECT_FALSE(decision.verified) << "nobody has vouched for it yet";
}

TEST_F(BeaconFilterTest, AnImpostorWithTheCoordinatorsIdDoesNotHideIt) {
  BeaconFilter::Options options;
  options.cluster_id = ours_.ca().cluster_id();
  options.ca_pin = ours_.ca().pin();
  options.own_node_id = "newcomer";
  const NodeIdentity boss = ours_.Issue("boss", Role::kCoordinator);
  const NodeIdentity impostor = ours_.Issue("boss", Role::kCoordinator);
  BeaconFilter filter = Make(options);
  EXPECT_EQ(filter.Accept(Beacon(impostor, 1, kStart, 1 << 20), "10.6.6.6", kStart).verdict, BeaconVerdict::kAccepted);
  EXPECT_EQ(filter.Accept(Beacon(boss, 1), "10.0.0.1", kStart).verdict, BeaconVerdict::kAccepted);
}

TEST_F(BeaconFilterTest, InsecureNodesBelieveEachOtherAndNobodyElse) {
  BeaconFilter::Options options;
  options.cluster_id = std::string(kInsecureClusterId);
  options.insecure = true;
  options.own_node_id = "listener";
  v1::BeaconBody body;
  body.set_cluster_hash(ClusterHash(kInsecureClusterId));
  body.set_node_id("worker-1");
  body.set_role("worker");
  body.set_grpc_port(1);
  body.set_sent_unix_ms(absl::ToUnixMillis(kStart));
  body.set_nonce("12345678");
  body.set_sequence(1);
  BeaconFilter filter = Make(options);
  const BeaconDecision decision = filter.Accept(Encode(body, nullptr), "10.0.0.1", kStart);
  EXPECT_EQ(decision.verdict, BeaconVerdict::kAccepted);
  EXPECT_FALSE(decision.verified);
  EXPECT_EQ(filter.Accept(Beacon(worker_, 1), "10.0.0.1", kStart).verdict, BeaconVerdict::kForeignCluster);
  EXPECT_EQ(Make(Joined()).Accept(Encode(body, nullptr), "10.0.0.1", kStart).verdict, BeaconVerdict::kForeignCluster);
}

TEST(BeaconFilter, NeedsSomethingToTrust) {
  BeaconFilter::Options options;
  options.cluster_id = "x";
  EXPECT_FALSE(BeaconFilter::Create(options).ok());
}

TEST(RateLimiter, StrangersCannotPushOutWhomItKnows) {
  RateLimiter limiter({.per_second = 1, .burst = 2, .keys_max = 2});
  EXPECT_TRUE(limiter.Allow("a", kStart));
  EXPECT_TRUE(limiter.Allow("a", kStart));
  EXPECT_FALSE(limiter.Allow("a", kStart));
  EXPECT_TRUE(limiter.Allow("b", kStart));
  EXPECT_FALSE(limiter.Allow("c", kStart)) << "the table is full of the living";
  EXPECT_TRUE(limiter.Allow("a", kStart + absl::Seconds(1)));
  EXPECT_TRUE(limiter.Allow("c", kStart + absl::Seconds(10)));
}

}  // namespace
}  // namespace enigma
