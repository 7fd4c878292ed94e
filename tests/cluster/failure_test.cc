// What happens when something dies, is refused, or does not fit: a sentence, a non-zero exit, and nothing half-done.
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/reference.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

using std::chrono::seconds;

class FailureTest : public ::testing::Test {
 protected:
  void Begin(int workers) {
    cluster_ = Cluster::Start({});
    ASSERT_NE(cluster_, nullptr);
    for (int i = 0; i < workers; ++i) cluster_->StartWorker(i);
    ASSERT_TRUE(cluster_->WaitForNodes(static_cast<size_t>(workers)));
  }
  // A model that takes long enough to be killed in.
  std::string SlowModel() {
    const std::string path = cluster_->directory() + "/slow.gguf";
    EXPECT_EQ(RunCommand({EnigmaBinary(), "models", "synth", "--shape", "27m", "--type", "q8_0", path}).status, 0);
    return path;
  }
  void ImportAndLoad(const std::string& path, const std::string& name, const std::string& stages) {
    const RunResult import = cluster_->Enigma({"models", "import", path, "--name", name});
    ASSERT_EQ(import.status, 0) << import.err;
    const RunResult load = cluster_->Enigma({"load", name, "--stages", stages});
    ASSERT_EQ(load.status, 0) << load.err << cluster_->Logs();
  }

  std::unique_ptr<Cluster> cluster_;
};

TEST_F(FailureTest, AWorkerKilledDuringARequestEndsItWithANamedNodeAndTheClusterGoesOn) {
  Begin(3);
  ImportAndLoad(SlowModel(), "slow", "2");
  std::string victim;  // the node of the second stage
  const auto models = cluster_->Json({"models"});
  for (const auto& model : models.at("models")) {
    for (const auto& replica : model.at("replicas")) victim = replica.at("stages").at(1).at("node_id");
  }
  ASSERT_NE(victim, "");
  auto request = cluster_->StartEnigma({"generate", "--model", "slow", "--prompt-ids", "1,5,9", "--max-tokens", "2000",
                                        "--temperature", "0", "--ignore-eos"},
                                       "request");
  // Text on stdout shows that the stream runs.
  const auto deadline = std::chrono::steady_clock::now() + seconds(20);
  while (request->Stdout().empty() && request->Running() && std::chrono::steady_clock::now() < deadline) {
  }
  ASSERT_TRUE(request->Running()) << request->Stderr();
  int victim_index = -1;
  for (int i = 0; i < 3; ++i) {
    if (cluster_->worker(i).Stderr().find(victim) != std::string::npos) victim_index = i;
  }
  ASSERT_GE(victim_index, 0) << "no worker's log names " << victim << cluster_->Logs();
  cluster_->worker(victim_index).Signal(SIGKILL);
  const auto status = request->Wait(seconds(20));
  ASSERT_TRUE(status.has_value()) << "the request hangs" << cluster_->Logs();
  EXPECT_EQ(*status, 1);
  EXPECT_NE(request->Stderr().find(victim), std::string::npos) << request->Stderr();

  // The coordinator goes on serving: two workers are left, and the model can be had on them.
  ASSERT_TRUE(cluster_->WaitForNodes(2));
  cluster_->Enigma({"unload", "slow"});
  const RunResult again = cluster_->Enigma({"load", "slow", "--stages", "2"});
  ASSERT_EQ(again.status, 0) << again.err << cluster_->Logs();
  const RunResult answer =
      cluster_->Enigma({"generate", "--model", "slow", "--prompt-ids", "1,5,9", "--max-tokens", "4", "--ignore-eos"});
  EXPECT_EQ(answer.status, 0) << answer.err << cluster_->Logs();
}

TEST_F(FailureTest, ACoordinatorThatRestartsFindsItsModelsAndServesThemAgain) {
  Begin(2);
  ImportAndLoad(SlowModel(), "slow", "2");
  const std::vector<std::string> request = {"generate", "--model",      "slow", "--prompt-ids",
                                            "1,5,9",    "--max-tokens", "16",   "--ignore-eos"};
  const auto before = cluster_->Json(request);
  ASSERT_FALSE(before.is_null());
  cluster_->coordinator().Signal(SIGKILL);
  ASSERT_TRUE(cluster_->coordinator().Wait(seconds(10)).has_value());
  cluster_->StartCoordinator();
  const auto deadline = std::chrono::steady_clock::now() + seconds(40);
  RunResult answer;
  while (std::chrono::steady_clock::now() < deadline) {
    auto arguments = request;
    arguments.emplace_back("--json");
    answer = cluster_->Enigma(arguments, seconds(20));
    if (answer.status == 0) break;
  }
  ASSERT_EQ(answer.status, 0) << answer.err << cluster_->Logs();
  EXPECT_EQ(nlohmann::json::parse(answer.out).at("ids"), before.at("ids"));
}

TEST_F(FailureTest, AWorkerWithoutAValidTokenNeverBecomesANode) {
  Begin(1);
  auto foreign = Cluster::Start({});
  ASSERT_NE(foreign, nullptr);
  const std::string foreign_token = foreign->Token();
  std::string tampered = cluster_->Token();
  char& last = tampered[tampered.size() - 6];
  last = last == 'A' ? 'B' : 'A';
  int index = 10;
  for (const std::string& token : {foreign_token, tampered, std::string("enigma-nonsense")}) {
    SCOPED_TRACE(token);
    cluster_->StartWorker(index, 0, {"--token", token, "--seed", cluster_->Endpoint()});
    const auto status = cluster_->worker(index).Wait(seconds(20));
    ASSERT_TRUE(status.has_value()) << "it neither joined nor gave up" << cluster_->Logs();
    EXPECT_NE(*status, 0);
    EXPECT_NE(cluster_->worker(index).Stderr(), "");
    ++index;
  }
  EXPECT_TRUE(cluster_->WaitForNodes(1));
}

TEST_F(FailureTest, EachWrongUseIsASentenceAndANonZeroExit) {
  Begin(1);
  const RunResult unknown = cluster_->Enigma({"generate", "--model", "no-such-model", "hello"});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_NE(unknown.err.find("no-such-model"), std::string::npos) << unknown.err;

  const RunResult absent = cluster_->Enigma({"models", "import", "/no/such/file.gguf"});
  EXPECT_EQ(absent.status, 1);
  EXPECT_NE(absent.err.find("/no/such/file.gguf"), std::string::npos) << absent.err;

  const std::string model = SlowModel();
  ASSERT_EQ(cluster_->Enigma({"models", "import", model, "--name", "slow"}).status, 0);
  const RunResult not_loaded = cluster_->Enigma({"generate", "--model", "slow", "hello"});
  EXPECT_EQ(not_loaded.status, 1);
  EXPECT_NE(not_loaded.err.find("enigma load"), std::string::npos) << not_loaded.err;
  const RunResult too_many = cluster_->Enigma({"load", "slow", "--stages", "5"});
  EXPECT_EQ(too_many.status, 1);
  EXPECT_NE(too_many.err, "");

  const std::string endpoint = cluster_->Endpoint();
  const std::string other = cluster_->directory() + "/other";
  const RunResult busy = RunCommand({EnigmaBinary(), "coordinator", "--data-dir", other, "--listen", endpoint, "--http",
                                     "127.0.0.1:0", "--udp-port", "0"},
                                    seconds(20));
  EXPECT_EQ(busy.status, 1);
  EXPECT_NE(busy.err.find(endpoint.substr(endpoint.rfind(':') + 1)), std::string::npos) << busy.err;

  const RunResult locked = RunCommand({EnigmaBinary(), "coordinator", "--data-dir", cluster_->data_dir(), "--listen",
                                       "127.0.0.1:0", "--http", "127.0.0.1:0", "--udp-port", "0"},
                                      seconds(20));
  EXPECT_EQ(locked.status, 1);
  EXPECT_NE(locked.err.find(cluster_->data_dir()), std::string::npos) << locked.err;

  EXPECT_EQ(RunCommand({EnigmaBinary(), "generate", "--no-such-flag"}).status, 2);
}

TEST_F(FailureTest, AModelLargerThanTheClusterIsRefusedWithTheBytesThatAreMissing) {
  cluster_ = Cluster::StartWithWorkers(1, {"--memory", "20M"});
  ASSERT_NE(cluster_, nullptr);
  ASSERT_EQ(cluster_->Enigma({"models", "import", SlowModel(), "--name", "slow"}).status, 0);
  const RunResult plan = cluster_->Enigma({"plan", "slow"});
  EXPECT_EQ(plan.status, 1);
  EXPECT_NE((plan.out + plan.err).find("bytes"), std::string::npos) << plan.out << plan.err;
}

TEST_F(FailureTest, AFullDiskEndsTheFetchAndLeavesNoHalfPiece) {
  cluster_ = Cluster::Start({});
  ASSERT_NE(cluster_, nullptr);
  const std::string small = cluster_->WorkerDirectory(0);
  std::filesystem::create_directories(small);
  if (RunCommand({"mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", small}).status != 0) {
    GTEST_SKIP() << "mounting a small tmpfs is not allowed here";
  }
  cluster_->StartWorker(0);
  EXPECT_TRUE(cluster_->WaitForNodes(1));
  EXPECT_EQ(cluster_->Enigma({"models", "import", SlowModel(), "--name", "slow"}).status, 0);
  const RunResult load = cluster_->Enigma({"load", "slow"});
  EXPECT_EQ(load.status, 1);
  EXPECT_NE(load.err.find("make room"), std::string::npos) << load.err;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(small, error)) {
    if (entry.path().string().find("/layers/") == std::string::npos || entry.path().extension() == ".part") continue;
    const std::string name = entry.path().filename().string();
    const RunResult sum = RunCommand({"sha256sum", entry.path().string()});
    EXPECT_EQ(sum.out.substr(0, 64), name) << "a piece that is not what its name says";
  }
  cluster_->StopWorker(0);
  RunCommand({"umount", small});
}

}  // namespace
}  // namespace enigma::testing
