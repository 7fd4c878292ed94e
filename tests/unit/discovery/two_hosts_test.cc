// Two hosts on one cable: network namespaces that threads of this process enter. No route leads anywhere.

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "discovery/udp_beacon_source.h"
#include "tests/unit/discovery/cluster_fixture.h"

namespace enigma {
namespace {

constexpr absl::Duration kHostsPatience = absl::Seconds(30);

bool Shell(const std::string& command) { return std::system((command + " >/dev/null 2>&1").c_str()) == 0; }

// A thread in a network namespace of its own. What Do makes there (sockets, threads, processes) belongs to it.
class Host {
 public:
  Host() : thread_([this] { Live(); }) { started_.WaitForNotification(); }
  ~Host() {
    Do([this] { stopping_ = true; });
    thread_.join();
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] const std::string& why_not() const { return why_not_; }
  [[nodiscard]] int thread_id() const { return thread_id_; }

  void Do(const std::function<void()>& work) {
    absl::Notification done;
    {
      const absl::MutexLock lock(&mutex_);
      work_ = [&] {
        work();
        done.Notify();
      };
    }
    done.WaitForNotification();
  }

 private:
  void Live() {
    thread_id_ = static_cast<int>(syscall(SYS_gettid));
    if (unshare(CLONE_NEWNET) != 0) why_not_ = std::strerror(errno);
    started_.Notify();
    while (!stopping_) {
      std::function<void()> work;
      {
        const absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(
            +[](std::function<void()>* waiting) { return bool(*waiting); }, &work_));
        std::swap(work, work_);
      }
      work();
    }
  }

  absl::Notification started_;
  absl::Mutex mutex_;
  std::function<void()> work_;
  bool stopping_ = false;  // of the thread
  std::string why_not_;
  int thread_id_ = 0;
  std::thread thread_;
};

class TwoHosts : public testing::Test {
 protected:
  void SetUp() override {
    if (!left_.why_not().empty()) GTEST_SKIP() << "this user may not make network namespaces: " << left_.why_not();
    bool wired = false;
    left_.Do([&] {
      wired = Shell("ip link set lo up && ip link add eth0 type veth peer name eth0 netns " +
                    std::to_string(right_.thread_id())) &&
              Shell("ip addr add 10.99.0.1/24 dev eth0 && ip link set eth0 up");
    });
    right_.Do([&] {
      wired = wired && Shell("ip link set lo up && ip addr add 10.99.0.2/24 dev eth0 && ip link set eth0 up");
    });
    if (!wired)
      GTEST_SKIP() << "cannot join two network namespaces by a veth pair (iproute2 and its rights are needed)";
  }

  std::unique_ptr<UdpBeaconSource> Start(Host& host, const NodeIdentity& identity, int grpc_port) {
    UdpBeaconSource::Options options;
    options.identity = identity;
    options.grpc_port = grpc_port;
    std::unique_ptr<UdpBeaconSource> source;
    host.Do([&] {
      auto made = UdpBeaconSource::Create(std::move(options));
      EXPECT_TRUE(made.ok()) << made.status();
      if (made.ok()) source = *std::move(made);
    });
    return source;
  }

  static bool Eventually(const std::function<bool()>& holds) {
    const absl::Time deadline = absl::Now() + kHostsPatience;
    while (!holds()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }

  static bool Sees(const NodeSource& source, const std::string& node_id, const std::string& endpoint) {
    return Eventually([&] {
      for (const NodeSighting& one : source.Snapshot()) {
        if (one.node_id == node_id && one.verified && !one.endpoints.empty() && one.endpoints.front() == endpoint) {
          return true;
        }
      }
      return false;
    });
  }

  TestCluster cluster_;
  Host left_, right_;
};

TEST_F(TwoHosts, FindEachOtherWithoutAnyAddressGivenOrRoute) {
  const auto boss = Start(left_, cluster_.Issue("boss", Role::kCoordinator), 7000);
  ASSERT_NE(boss, nullptr);
  const auto worker = Start(right_, cluster_.Issue("w1", Role::kWorker), 7001);
  ASSERT_NE(worker, nullptr);
  EXPECT_TRUE(Sees(*boss, "w1", "10.99.0.2:7001"));
  EXPECT_TRUE(Sees(*worker, "boss", "10.99.0.1:7000"));
  for (const InterfaceCounts& counts : boss->Report().interfaces) {
    if (counts.interface.name != "eth0") continue;
    EXPECT_TRUE(counts.interface.used);
    EXPECT_GT(counts.beacons_sent, 0u);
    EXPECT_GT(counts.beacons_received, 0u) << counts.last_error;
  }
}

TEST_F(TwoHosts, AnInterfaceThatFailsAndAnotherThatAppearsAreUsedAgain) {
  const auto boss = Start(left_, cluster_.Issue("boss", Role::kCoordinator), 7000);
  ASSERT_NE(boss, nullptr);
  const auto worker = Start(right_, cluster_.Issue("w1", Role::kWorker), 7001);
  ASSERT_NE(worker, nullptr);
  ASSERT_TRUE(Sees(*boss, "w1", "10.99.0.2:7001"));
  right_.Do([] { EXPECT_TRUE(Shell("ip link set eth0 down")); });
  EXPECT_TRUE(Eventually([&] { return boss->Snapshot().empty(); }));
  right_.Do([] { EXPECT_TRUE(Shell("ip link set eth0 up")); });
  EXPECT_TRUE(Sees(*boss, "w1", "10.99.0.2:7001"));
  // A cable that was not there at the start.
  left_.Do([&] {
    EXPECT_TRUE(Shell("ip link add eth1 type veth peer name eth1 netns " + std::to_string(right_.thread_id()) +
                      " && ip addr add 10.98.0.1/24 dev eth1 && ip link set eth1 up && ip link del eth0"));
  });
  right_.Do([] { EXPECT_TRUE(Shell("ip addr add 10.98.0.2/24 dev eth1 && ip link set eth1 up")); });
  EXPECT_TRUE(Sees(*boss, "w1", "10.98.0.2:7001"));
}

TEST_F(TwoHosts, MulticastAloneIsEnough) {
  // A /32 has no broadcast address; what remains is multicast.
  left_.Do([] { EXPECT_TRUE(Shell("ip addr flush dev eth0 && ip addr add 10.97.0.1/32 dev eth0")); });
  right_.Do([] { EXPECT_TRUE(Shell("ip addr flush dev eth0 && ip addr add 10.97.0.2/32 dev eth0")); });
  const auto boss = Start(left_, cluster_.Issue("boss", Role::kCoordinator), 7000);
  ASSERT_NE(boss, nullptr);
  const auto worker = Start(right_, cluster_.Issue("w1", Role::kWorker), 7001);
  ASSERT_NE(worker, nullptr);
  EXPECT_TRUE(Eventually([&] { return boss->Snapshot().size() == 1 && worker->Snapshot().size() == 1; }));
}

TEST_F(TwoHosts, Ipv6AloneIsEnough) {
  const auto only_ipv6 = [](const char* address) {
    return Shell(std::string("ip -4 addr flush dev eth0 && ip -6 addr add ") + address + "/64 dev eth0 nodad");
  };
  bool has_ipv6 = false;
  left_.Do([&] { has_ipv6 = only_ipv6("fd00:99::1"); });
  right_.Do([&] { has_ipv6 = has_ipv6 && only_ipv6("fd00:99::2"); });
  if (!has_ipv6) GTEST_SKIP() << "this machine has no IPv6";
  const auto boss = Start(left_, cluster_.Issue("boss", Role::kCoordinator), 7000);
  ASSERT_NE(boss, nullptr);
  const auto worker = Start(right_, cluster_.Issue("w1", Role::kWorker), 7001);
  ASSERT_NE(worker, nullptr);
  EXPECT_TRUE(Eventually([&] { return boss->Snapshot().size() == 1 && worker->Snapshot().size() == 1; }));
}

}  // namespace
}  // namespace enigma
