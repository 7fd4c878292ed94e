#include "discovery/static_source.h"

#include <map>
#include <string>

#include <absl/synchronization/mutex.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "discovery/merged_source.h"

namespace enigma {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A name server whose records the test changes. Outlives the sources that ask it.
class Records {
 public:
  void Set(const std::string& host, std::vector<std::string> addresses) {
    const absl::MutexLock lock(&mutex_);
    records_[host] = std::move(addresses);
  }
  void Break(const std::string& host) {
    const absl::MutexLock lock(&mutex_);
    records_.erase(host);
  }
  ResolveHost Resolver() {
    return [this](const std::string& host) -> absl::StatusOr<std::vector<std::string>> {
      const absl::MutexLock lock(&mutex_);
      ++lookups_;
      const auto found = records_.find(host);
      if (found == records_.end()) return absl::UnavailableError("no such name");
      return found->second;
    };
  }
  void AwaitTwoRounds() {
    const absl::MutexLock lock(&mutex_);
    const int until = lookups_ + 4;
    const auto reached = [&] { return lookups_ >= until; };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&reached), absl::Seconds(30)));
  }

 private:
  absl::Mutex mutex_;
  std::map<std::string, std::vector<std::string>> records_;
  int lookups_ = 0;
};

std::unique_ptr<StaticSource> Make(Records& records, std::vector<std::string> seeds) {
  StaticSource::Options options;
  options.seeds = std::move(seeds);
  options.resolve_every = absl::Milliseconds(5);
  options.resolve = records.Resolver();
  auto source = StaticSource::Create(std::move(options));
  EXPECT_TRUE(source.ok()) << source.status();
  return *std::move(source);
}

// Waits until the source gives these endpoints.
bool Reaches(const NodeSource& source, const std::vector<std::string>& expected) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  uint64_t seen = 0;
  while (absl::Now() < deadline) {
    if (CoordinatorEndpoints(source) == expected) return true;
    seen = source.WaitForChange(seen, absl::Milliseconds(100));
  }
  return false;
}

TEST(StaticSource, FollowsANameToAllItsAddressesAgainAndAgain) {
  Records records;
  records.Set("coordinator", {"10.0.0.1", "fd00::1"});
  const auto source = Make(records, {"coordinator:7000"});
  EXPECT_TRUE(Reaches(*source, {"10.0.0.1:7000", "[fd00::1]:7000"}));
  records.Set("coordinator", {"10.0.0.9"});
  EXPECT_TRUE(Reaches(*source, {"10.0.0.9:7000"}));
}

TEST(StaticSource, AnOutageOfTheNameServerForgetsNobody) {
  Records records;
  records.Set("coordinator", {"10.0.0.1"});
  const auto source = Make(records, {"coordinator"});
  ASSERT_TRUE(Reaches(*source, {"10.0.0.1:50051"}));
  records.Break("coordinator");
  records.AwaitTwoRounds();
  EXPECT_THAT(CoordinatorEndpoints(*source), ElementsAre("10.0.0.1:50051"));
  records.Set("coordinator", {"10.0.0.2"});
  EXPECT_TRUE(Reaches(*source, {"10.0.0.2:50051"}));
}

TEST(StaticSource, ANameThatDoesNotResolveYetIsTriedAgain) {
  Records records;
  const auto source = Make(records, {"later"});
  records.AwaitTwoRounds();
  EXPECT_THAT(source->Snapshot(), IsEmpty());
  records.Set("later", {"10.0.0.3"});
  EXPECT_TRUE(Reaches(*source, {"10.0.0.3:50051"}));
}

TEST(StaticSource, RotatedRecordsAreNoNews) {
  Records records;
  records.Set("coordinator", {"10.0.0.1", "10.0.0.2"});
  const auto source = Make(records, {"coordinator"});
  ASSERT_TRUE(Reaches(*source, {"10.0.0.1:50051", "10.0.0.2:50051"}));
  const uint64_t version = source->WaitForChange(0, absl::ZeroDuration());
  records.Set("coordinator", {"10.0.0.2", "10.0.0.1"});
  records.AwaitTwoRounds();
  EXPECT_EQ(source->WaitForChange(version, absl::ZeroDuration()), version);
}

TEST(StaticSource, LiteralAddressesResolveToThemselves) {
  for (const char* literal : {"127.0.0.1", "::1"}) {
    const auto addresses = ResolveWithSystem(literal);
    ASSERT_TRUE(addresses.ok()) << addresses.status();
    EXPECT_THAT(*addresses, ElementsAre(literal));
  }
}

TEST(StaticSource, AMalformedSeedIsQuoted) {
  const auto source = StaticSource::Create({.seeds = {"good", "bad:port"}});
  ASSERT_FALSE(source.ok());
  EXPECT_THAT(ToString(source.status().message()), HasSubstr("bad:port"));
}

TEST(MergedSource, GivesAllAndTellsOfChangesInAny) {
  Records records;
  records.Set("a", {"10.0.0.1"});
  records.Set("b", {"10.0.0.2"});
  std::vector<std::unique_ptr<NodeSource>> sources;
  sources.push_back(Make(records, {"a"}));
  sources.push_back(Make(records, {"b"}));
  const MergedSource merged(std::move(sources));
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (merged.Snapshot().size() < 2 && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_THAT(CoordinatorEndpoints(merged), ElementsAre("10.0.0.1:50051", "10.0.0.2:50051"));
  const uint64_t version = merged.WaitForChange(0, absl::Seconds(30));
  records.Set("b", {"10.0.0.3"});
  EXPECT_NE(merged.WaitForChange(version, absl::Seconds(30)), version);
  EXPECT_TRUE(Reaches(merged, {"10.0.0.1:50051", "10.0.0.3:50051"}));
}

// A source that gives what the test says.
class FixedSource final : public NodeSource {
 public:
  explicit FixedSource(std::vector<NodeSighting> sightings) : sightings_(std::move(sightings)) {}
  std::vector<NodeSighting> Snapshot() const override { return sightings_; }
  uint64_t WaitForChange(uint64_t, absl::Duration) const override { return 1; }

 private:
  const std::vector<NodeSighting> sightings_;
};

TEST(MergedSource, ANodeSeenTwiceAppearsOnceWithAllItsAddresses) {
  const absl::Time now = absl::Now();
  std::vector<std::unique_ptr<NodeSource>> sources;
  sources.push_back(std::make_unique<FixedSource>(
      std::vector<NodeSighting>{{"w", Role::kWorker, {"10.0.0.7:1"}, now, true, "udp"},
                                {"c", Role::kCoordinator, {"10.0.0.1:1"}, now, false, "udp"}}));
  sources.push_back(std::make_unique<FixedSource>(
      std::vector<NodeSighting>{{"c", Role::kCoordinator, {"10.0.0.1:1", "10.0.0.2:1"}, now, true, "udp"},
                                {"", {}, {"seed:1"}, now, false, "static"}}));
  const MergedSource merged(std::move(sources));
  EXPECT_EQ(merged.Snapshot().size(), 3u);
  EXPECT_THAT(CoordinatorEndpoints(merged), ElementsAre("10.0.0.1:1", "10.0.0.2:1", "seed:1"));
}

}  // namespace
}  // namespace enigma
