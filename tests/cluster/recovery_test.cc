// Failures that the cluster mends by itself, and ends that are in order.
#include <csignal>
#include <cstdio>
#include <map>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"

namespace enigma::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

void ImportModel(Cluster& cluster) {
  const std::string path = cluster.directory() + "/model.gguf";
  ASSERT_EQ(RunCommand({EnigmaBinary(), "models", "synth", "--shape", "27m", "--type", "q8_0", path}).status, 0);
  ASSERT_EQ(cluster.Enigma({"models", "import", path, "--name", "model"}).status, 0) << cluster.Logs();
}

// The replica of the only model; null while it has none that is ready.
nlohmann::json ReadyReplica(const Cluster& cluster) {
  const auto reply = cluster.Json({"models"});
  for (const auto& model : reply.at("models")) {
    for (const auto& replica : model.at("replicas")) {
      if (replica.at("state") == "ready") return replica;
    }
  }
  return nullptr;
}

std::vector<std::string> NodesOf(const nlohmann::json& replica) {
  std::vector<std::string> nodes;
  for (const auto& stage : replica.at("stages")) nodes.push_back(stage.at("node_id"));
  return nodes;
}

TEST(RecoveryTest, ACutBetweenTwoWorkersIsNoticedAndPlacedAround) {
  std::string why;
  const auto network = BridgedHosts::Create(4, &why);
  if (network == nullptr) GTEST_SKIP() << "no bridged hosts: " << why;
  auto cluster = Cluster::Start({.network = network.get()});
  ASSERT_NE(cluster, nullptr);
  for (int i = 1; i < 4; ++i) cluster->StartWorker(i, i);
  ASSERT_TRUE(cluster->WaitForNodes(3));
  ImportModel(*cluster);
  const RunResult load = cluster->Enigma({"load", "model", "--stages", "2"});
  ASSERT_EQ(load.status, 0) << load.err << cluster->Logs();
  const nlohmann::json before = ReadyReplica(*cluster);
  ASSERT_FALSE(before.is_null());
  const std::vector<std::string> pair = NodesOf(before);
  std::map<std::string, int> host_of;
  for (int i = 1; i < 4; ++i) {
    for (const std::string& node : pair) {
      if (cluster->worker(i).Stderr().find(node) != std::string::npos) host_of[node] = i;
    }
  }
  ASSERT_EQ(host_of.size(), 2u) << cluster->Logs();
  if (!network->CutBetween(host_of[pair[0]], host_of[pair[1]])) GTEST_SKIP() << "nftables are not to be had here";

  // Both stay ready: only the link between them is gone. (With nothing but TCP this took minutes.)
  const auto cut = Clock::now();
  nlohmann::json after;
  while (Clock::now() - cut < seconds(20)) {
    after = ReadyReplica(*cluster);
    if (!after.is_null() && after.at("replica") != before.at("replica")) break;
    std::this_thread::sleep_for(milliseconds(100));
  }
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - cut);
  RecordProperty("recovery_ms", static_cast<int>(took.count()));
  ASSERT_FALSE(after.is_null()) << cluster->Logs();
  ASSERT_NE(after.at("replica"), before.at("replica")) << cluster->Logs();
  const std::vector<std::string> again = NodesOf(after);
  EXPECT_NE(std::set<std::string>(again.begin(), again.end()), std::set<std::string>(pair.begin(), pair.end()));
  EXPECT_TRUE(cluster->WaitForNodes(3));
  std::fprintf(stderr, "recovered after %lld ms\n", static_cast<long long>(took.count()));
}

TEST(RecoveryTest, DaemonsStopAtOnceAndCallNobodyDead) {
  auto cluster = Cluster::StartWithWorkers(2);
  ASSERT_NE(cluster, nullptr);
  const auto stop = [](Process& process) {
    const auto start = Clock::now();
    process.Signal(SIGTERM);
    EXPECT_EQ(process.Wait(seconds(20)).value_or(-1), 0);
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    std::fprintf(stderr, "stopped after %lld ms\n", static_cast<long long>(took.count()));
    EXPECT_LT(took, milliseconds(1500));
  };
  stop(cluster->worker(1));
  ASSERT_TRUE(cluster->WaitForNodes(1));
  const std::string before = cluster->coordinator().Stderr();
  stop(cluster->coordinator());
  const std::string log = cluster->coordinator().Stderr().substr(before.size());
  EXPECT_EQ(log.find("is dead"), std::string::npos) << log;
}

}  // namespace
}  // namespace enigma::testing
