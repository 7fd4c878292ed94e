// Training whose sums go through Gloo: the bits of any other collective, and only where every worker trusts its
// network.
#include <csignal>
#include <fstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/training_jobs.h"

namespace enigma::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

std::string WriteText(const Cluster& cluster) {
  std::string path = cluster.directory() + "/text.txt";
  std::ofstream file(path);
  for (int line = 0; line < 400; ++line) {
    file << "Line " << line << " says that " << line * line << " is the square of " << line << ".\n\n";
  }
  return path;
}

std::vector<std::string> TrainArguments(const std::string& data, const std::string& name, const std::string& steps) {
  return {"train", "--data",
          data,    "--size",
          "nano",  "--name",
          name,    "--vocab-size",
          "320",   "--steps",
          steps,   "--batch",
          "6",     "--slots",
          "6",     "--context",
          "32",    "--seed",
          "7",     "--validation-share",
          "0",     "--checkpoint-every",
          "1000",  "--json"};
}

std::vector<std::string> WithGloo(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--collective", "gloo"});
  return arguments;
}

nlohmann::json JobNamed(const Cluster& cluster, const std::string& model) {
  const nlohmann::json listed = cluster.Json({"jobs", "--json"});
  if (!listed.is_object()) return nullptr;
  for (const auto& job : listed.at("jobs")) {
    if (job.at("model") == model) return job;
  }
  return nullptr;
}

TEST(GlooTrainingTest, GivesTheBitsOfStreamsAlsoWhereAWorkerIsKilled) {
  const auto cluster = Cluster::StartWithWorkers(3, {"--trusted-network"});
  ASSERT_NE(cluster, nullptr);
  const std::string data = WriteText(*cluster);
  const uint64_t streams = TrainJob(*cluster, TrainArguments(data, "streams", "60"));
  const uint64_t gloo = TrainJob(*cluster, WithGloo(TrainArguments(data, "gloo", "60")));
  ASSERT_GT(streams, 0u);
  ASSERT_GT(gloo, 0u);
  EXPECT_EQ(FinalState(*cluster, gloo) == FinalState(*cluster, streams), true) << cluster->Logs();
  EXPECT_EQ(JobNamed(*cluster, "gloo").at("ranks").size(), 3u);
  EXPECT_THAT(cluster->Logs(), HasSubstr("job " + std::to_string(gloo) + ": the sums of epoch 1 go through Gloo"));
  EXPECT_THAT(cluster->Logs(), Not(HasSubstr("job " + std::to_string(streams) + ": the sums of epoch 1 go through")));

  uint64_t disturbed = 0;
  std::thread training([&] { disturbed = TrainJob(*cluster, WithGloo(TrainArguments(data, "disturbed", "60"))); });
  uint64_t step = 0;
  for (int look = 0; look < 1200 && step < 3; ++look) {
    std::this_thread::sleep_for(milliseconds(20));
    const nlohmann::json job = JobNamed(*cluster, "disturbed");
    if (!job.is_null()) step = job.at("step");
  }
  EXPECT_GE(step, 3u);
  EXPECT_LT(step, 50u) << "too late to disturb anything";
  cluster->worker(1).Signal(SIGKILL);
  training.join();
  ASSERT_GT(disturbed, 0u);
  EXPECT_EQ(FinalState(*cluster, disturbed) == FinalState(*cluster, streams), true) << cluster->Logs();
}

TEST(GlooTrainingTest, IsRefusedWhereAWorkerDoesNotTrustItsNetwork) {
  const auto cluster = Cluster::StartWithWorkers(2, {"--trusted-network"});
  ASSERT_NE(cluster, nullptr);
  std::vector<std::string> trusting;
  for (const auto& node : cluster->Json({"nodes", "--json"}).at("nodes")) trusting.push_back(node.at("node_id"));
  cluster->StartWorker(2, 0, {"--threads", "1"});
  ASSERT_TRUE(cluster->WaitForNodes(3));
  const std::string data = WriteText(*cluster);

  const RunResult refused = cluster->Enigma(WithGloo(TrainArguments(data, "gloo", "2")));
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("every worker must be started with --trusted-network; these were not: "));
  for (const std::string& node : trusting) EXPECT_THAT(refused.err, Not(HasSubstr(node)));
  EXPECT_TRUE(JobNamed(*cluster, "gloo").is_null());

  // Two of the two that it asks for trust theirs.
  std::vector<std::string> two = WithGloo(TrainArguments(data, "gloo", "2"));
  two.insert(two.end(), {"--workers", "2"});
  EXPECT_GT(TrainJob(*cluster, two), 0u);
}

}  // namespace
}  // namespace enigma::testing
