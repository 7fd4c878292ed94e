#include "discovery/udp_beacon_source.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/discovery/cluster_fixture.h"

namespace enigma {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(30);

class UdpBeaconSourceTest : public testing::Test {
 protected:
  static UdpBeaconSource::Options OnLoopback(int port, int grpc_port) {
    UdpBeaconSource::Options options;
    options.port = port;
    options.grpc_port = grpc_port;
    options.interfaces.only = {"lo"};
    return options;
  }

  static std::unique_ptr<UdpBeaconSource> Start(UdpBeaconSource::Options options) {
    auto source = UdpBeaconSource::Create(std::move(options));
    EXPECT_TRUE(source.ok()) << source.status();
    return *std::move(source);
  }

  std::unique_ptr<UdpBeaconSource> Node(const NodeIdentity& identity, int port, int grpc_port) {
    UdpBeaconSource::Options options = OnLoopback(port, grpc_port);
    options.identity = identity;
    return Start(std::move(options));
  }

  static bool Eventually(const std::function<bool()>& holds) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!holds()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }

  // Whether `source` comes to see a node of this id at this endpoint.
  static bool Sees(const NodeSource& source, const std::string& node_id, const std::string& endpoint, bool verified) {
    return Eventually([&] {
      for (const NodeSighting& one : source.Snapshot()) {
        if (one.node_id == node_id && one.verified == verified && !one.endpoints.empty() &&
            one.endpoints.front() == endpoint) {
          return true;
        }
      }
      return false;
    });
  }

  TestCluster cluster_;
};

TEST_F(UdpBeaconSourceTest, ManyProcessesOnOneMachineFindEachOther) {
  const auto boss = Node(cluster_.Issue("boss", Role::kCoordinator), 0, 7000);
  ASSERT_GT(boss->port(), 0);
  const auto first = Node(cluster_.Issue("w1", Role::kWorker), boss->port(), 7001);
  const auto second = Node(cluster_.Issue("w2", Role::kWorker), boss->port(), 7002);
  const auto third = Node(cluster_.Issue("w3", Role::kWorker), boss->port(), 7003);
  for (const auto* worker : {first.get(), second.get(), third.get()}) {
    EXPECT_TRUE(Sees(*worker, "boss", "127.0.0.1:7000", true));
  }
  EXPECT_TRUE(Sees(*boss, "w1", "127.0.0.1:7001", true));
  EXPECT_TRUE(Sees(*boss, "w2", "127.0.0.1:7002", true));
  EXPECT_TRUE(Sees(*boss, "w3", "127.0.0.1:7003", true));
  EXPECT_TRUE(Sees(*first, "w3", "127.0.0.1:7003", true));
  EXPECT_THAT(CoordinatorEndpoints(*second), testing::ElementsAre("127.0.0.1:7000"));
}

TEST_F(UdpBeaconSourceTest, AHolderOfATokenIsAnsweredAtOnce) {
  UdpBeaconSource::Options announcing = OnLoopback(0, 7000);
  announcing.identity = cluster_.Issue("boss", Role::kCoordinator);
  announcing.announce_every = absl::Seconds(1);
  const auto boss = Start(std::move(announcing));
  UdpBeaconSource::Options options = OnLoopback(boss->port(), 0);
  options.cluster_id = cluster_.ca().cluster_id();
  options.ca_pin = cluster_.ca().pin();
  options.node_id = "newcomer";
  const auto newcomer = Start(std::move(options));
  EXPECT_TRUE(Sees(*newcomer, "boss", "127.0.0.1:7000", false));
  // It is nobody yet: the coordinator does not list it.
  EXPECT_THAT(boss->Snapshot(), testing::IsEmpty());
}

TEST_F(UdpBeaconSourceTest, ANodeThatFellSilentIsForgotten) {
  UdpBeaconSource::Options options = OnLoopback(0, 7000);
  options.identity = cluster_.Issue("boss", Role::kCoordinator);
  options.forget_after = absl::Seconds(2);
  const auto boss = Start(std::move(options));
  auto worker = Node(cluster_.Issue("w1", Role::kWorker), boss->port(), 7001);
  ASSERT_TRUE(Sees(*boss, "w1", "127.0.0.1:7001", true));
  worker.reset();
  EXPECT_TRUE(Eventually([&] { return boss->Snapshot().empty(); }));
}

TEST_F(UdpBeaconSourceTest, OtherClustersAndNoiseAreCountedAndNotListed) {
  const TestCluster theirs;
  Metrics metrics;
  UdpBeaconSource::Options options = OnLoopback(0, 7000);
  options.identity = cluster_.Issue("boss", Role::kCoordinator);
  options.metrics = &metrics;
  const auto boss = Start(std::move(options));
  const auto foreigner = Node(theirs.Issue("w1", Role::kWorker), boss->port(), 7001);

  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(boss->port()));
  // The shared port on loopback belongs to several sockets: broadcast reaches all of them.
  inet_pton(AF_INET, "127.255.255.255", &to.sin_addr);
  const int on = 1;
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on), 0);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{900}, size_t{1201}, size_t{9000}}) {
    const std::string noise(size, 'E');
    EXPECT_EQ(sendto(fd, noise.data(), noise.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(size));
  }
  close(fd);
  EXPECT_TRUE(Eventually([&] {
    const auto dropped = boss->Report().dropped;
    return dropped.contains("foreign_cluster") && dropped.contains("oversized") && dropped.at("oversized") == 2 &&
           dropped.contains("malformed") && dropped.at("malformed") == 3;
  }));
  EXPECT_THAT(boss->Snapshot(), testing::IsEmpty());
  EXPECT_THAT(metrics.Text(), HasSubstr("enigma_beacons_dropped_total{reason=\"oversized\"} 2"));
  EXPECT_THAT(metrics.Text(), HasSubstr("enigma_beacons_sent_total{interface=\"lo\"}"));
}

TEST_F(UdpBeaconSourceTest, ACopiedIdentityIsNamed) {
  const NodeIdentity identity = cluster_.Issue("w1", Role::kWorker);
  const auto boss = Node(cluster_.Issue("boss", Role::kCoordinator), 0, 7000);
  const auto original = Node(identity, boss->port(), 7001);
  ASSERT_TRUE(Sees(*boss, "w1", "127.0.0.1:7001", true));
  absl::SleepFor(absl::Milliseconds(5));  // an epoch of its own
  const auto clone = Node(identity, boss->port(), 7002);
  for (const auto* source : {boss.get(), original.get(), clone.get()}) {
    EXPECT_TRUE(Eventually([&] {
      const auto events = source->Report().events;
      return !events.empty() && events.front().find("w1") != std::string::npos;
    }));
  }
}

TEST_F(UdpBeaconSourceTest, InsecureNodesFindEachOther) {
  const auto start = [](const char* node_id, Role role, int port, int grpc_port) {
    UdpBeaconSource::Options options = OnLoopback(port, grpc_port);
    options.insecure = true;
    options.node_id = node_id;
    options.role = role;
    return Start(std::move(options));
  };
  const auto boss = start("boss", Role::kCoordinator, 0, 7000);
  const auto worker = start("w1", Role::kWorker, boss->port(), 7001);
  EXPECT_TRUE(Sees(*worker, "boss", "127.0.0.1:7000", false));
  EXPECT_TRUE(Sees(*boss, "w1", "127.0.0.1:7001", false));
}

TEST_F(UdpBeaconSourceTest, TheReportSaysWhyAnInterfaceIsSkipped) {
  const auto boss = Node(cluster_.Issue("boss", Role::kCoordinator), 0, 7000);
  EXPECT_TRUE(Eventually([&] {
    for (const InterfaceCounts& counts : boss->Report().interfaces) {
      if (counts.interface.name == "lo" && counts.beacons_sent >= 3) return true;
    }
    return false;
  }));
  for (const InterfaceCounts& counts : boss->Report().interfaces) {
    EXPECT_EQ(counts.interface.used, counts.interface.name == "lo");
    EXPECT_EQ(counts.interface.reason.empty(), counts.interface.used);
  }
}

}  // namespace
}  // namespace enigma
