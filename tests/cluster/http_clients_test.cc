// Programs of other people against the HTTP API of a live cluster, as tests/clients has them.
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/http_cluster.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

const std::filesystem::path kClients = ENIGMA_CLIENTS;

class HttpClientsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ENIGMA_REQUIRE_DATA(stories, "models/stories260K-f32.gguf");
    ENIGMA_REQUIRE_DATA(description, "openai/openapi.yaml");
    if (RunCommand({"node", "--version"}).status != 0) GTEST_SKIP() << "Node.js is not installed";
    if (!std::filesystem::exists(kClients / "node_modules/.package-lock.json")) {
      GTEST_SKIP() << "the modules of tests/clients are not installed: npm ci --prefix tests/clients";
    }
    description_ = description;
    stories_ = stories;
  }

  // Runs a program of tests/clients against a cluster of its own; what it prints is the message when it fails.
  void Run(const std::string& program, bool over_tls = false) {
    const std::vector<std::string> settings =
        over_tls ? std::vector<std::string>{"ENIGMA_TLS_SELF_SIGNED=true"} : std::vector<std::string>{};
    const auto cluster = HttpCluster::Start(stories_, settings);
    ASSERT_NE(cluster, nullptr);
    ASSERT_EQ(cluster->url().rfind(over_tls ? "https://" : "http://", 0), 0U) << cluster->url();
    std::vector<std::string> environment = {"ENIGMA_URL=" + cluster->url(), "ENIGMA_BINARY=" + EnigmaBinary(),
                                            "ENIGMA_DATA_DIR=" + cluster->data_dir(),
                                            "ENIGMA_API_DESCRIPTION=" + description_};
    if (over_tls) environment.push_back("NODE_EXTRA_CA_CERTS=" + cluster->data_dir() + "/pki/cluster-ca.crt");
    const RunResult run = RunCommand({"node", "--test", "--test-reporter=spec", (kClients / program).string()},
                                     std::chrono::seconds(200), environment);
    EXPECT_EQ(run.status, 0) << run.out << run.err << cluster->Log();
  }

  std::string stories_;
  std::string description_;
};

TEST_F(HttpClientsTest, AnswersAreAsOpenAiDescribesThem) { Run("answers_test.mjs"); }

TEST_F(HttpClientsTest, OpenAisOwnClientWorksUnchanged) { Run("openai_test.mjs"); }

TEST_F(HttpClientsTest, OpenAisOwnClientTrustsTheClustersCertificate) { Run("openai_test.mjs", /*over_tls=*/true); }

TEST_F(HttpClientsTest, AnswersAreHeldToFormatsAndCallTools) { Run("formats_test.mjs"); }

}  // namespace
}  // namespace enigma::testing
