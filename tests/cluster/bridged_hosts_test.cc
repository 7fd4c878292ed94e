// Three hosts on one bridge that know no address of each other: found only by UDP.
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/reference.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

using std::chrono::seconds;

class BridgedHostsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    network_ = BridgedHosts::Create(3, &why);
    if (network_ == nullptr) GTEST_SKIP() << "no bridged hosts: " << why;
    cluster_ = Cluster::Start({.network = network_.get()});
    ASSERT_NE(cluster_, nullptr);
    for (int i = 0; i < 3; ++i) cluster_->StartWorker(i, i);
    ASSERT_TRUE(cluster_->WaitForNodes(3));
  }

  std::string StateOf(const std::string& host_or_id) {
    const auto reply = cluster_->Json({"nodes"});
    for (const auto& node : reply.at("nodes")) {
      if (node.value("node_id", "") == host_or_id) return node.value("state", "");
    }
    return "absent";
  }

  // The id of the node that answers on this host's address.
  std::string NodeOn(int host) {
    const auto reply = cluster_->Json({"nodes"});
    for (const auto& node : reply.at("nodes")) {
      for (const auto& endpoint : node.at("endpoints")) {
        if (endpoint.get<std::string>().rfind(network_->Address(host) + ":", 0) == 0) return node.at("node_id");
      }
    }
    return "";
  }

  std::unique_ptr<BridgedHosts> network_;
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(BridgedHostsTest, ThreeHostsFoundByUdpAnswerWithTheReferenceIds) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  ENIGMA_REQUIRE_DATA(outputs, "models/reference_outputs.json");
  const ReferenceCase reference = LoadReference(outputs, "stories260K");
  ASSERT_EQ(cluster_->Enigma({"models", "import", model, "--name", "stories"}).status, 0) << cluster_->Logs();
  const RunResult load = cluster_->Enigma({"load", "stories", "--stages", "3"});
  ASSERT_EQ(load.status, 0) << load.err << cluster_->Logs();
  const auto reply =
      cluster_->Json({"generate", "--model", "stories", reference.prompt, "--max-tokens", "64", "--temperature", "0"});
  ASSERT_FALSE(reply.is_null());
  EXPECT_EQ(reply.at("ids").get<std::vector<int>>(), reference.generated_ids) << cluster_->Logs();
}

TEST_F(BridgedHostsTest, QuantisedModelsAnswerAcrossHostsAsInOneProcess) {
  for (const std::string type : {"q4_k", "q8_0"}) {
    SCOPED_TRACE(type);
    const std::string path = cluster_->directory() + "/" + type + ".gguf";
    ASSERT_EQ(RunCommand({EnigmaBinary(), "models", "synth", "--shape", "tiny", "--type", type, path}).status, 0);
    const std::vector<std::string> request = {"--prompt-ids",
                                              "1,17,300,42,99,256,8",
                                              "--max-tokens",
                                              "40",
                                              "--ignore-eos",
                                              "--temperature",
                                              "0.8",
                                              "--seed",
                                              "3"};
    std::vector<std::string> local = {EnigmaBinary(), "generate", "--local", path, "--json"};
    local.insert(local.end(), request.begin(), request.end());
    const RunResult alone = RunCommand(local);
    ASSERT_EQ(alone.status, 0) << alone.err;
    ASSERT_EQ(cluster_->Enigma({"models", "import", path, "--name", type}).status, 0) << cluster_->Logs();
    const RunResult load = cluster_->Enigma({"load", type, "--stages", "3"});
    ASSERT_EQ(load.status, 0) << load.err << cluster_->Logs();
    std::vector<std::string> across = {"generate", "--model", type};
    across.insert(across.end(), request.begin(), request.end());
    const auto reply = cluster_->Json(across);
    ASSERT_FALSE(reply.is_null());
    EXPECT_EQ(reply.at("ids"), nlohmann::json::parse(alone.out).at("ids"));
  }
}

TEST_F(BridgedHostsTest, SilenceOfAHostMeansDeadAndItsReturnMeansReady) {
  const std::string node = NodeOn(2);
  ASSERT_NE(node, "") << cluster_->Logs();
  ASSERT_TRUE(network_->Isolate(2));
  ASSERT_TRUE(cluster_->WaitForNodes(2, seconds(10)));
  EXPECT_EQ(StateOf(node), "dead");
  ASSERT_TRUE(network_->Rejoin(2));
  ASSERT_TRUE(cluster_->WaitForNodes(3, seconds(30)));
  EXPECT_EQ(StateOf(node), "ready");
}

}  // namespace
}  // namespace enigma::testing
