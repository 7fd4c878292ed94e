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
    cluster_ = HttpCluster::Start(stories);
    ASSERT_NE(cluster_, nullptr);
  }

  // Runs a program of tests/clients; what it prints is the message when it fails.
  void Run(const std::string& program) {
    const RunResult run =
        RunCommand({"node", "--test", "--test-reporter=spec", (kClients / program).string()}, std::chrono::seconds(200),
                   {"ENIGMA_HTTP=" + cluster_->http(), "ENIGMA_BINARY=" + EnigmaBinary(),
                    "ENIGMA_DATA_DIR=" + cluster_->data_dir(), "ENIGMA_API_DESCRIPTION=" + description_});
    EXPECT_EQ(run.status, 0) << run.out << run.err << cluster_->Log();
  }

  std::string description_;
  std::unique_ptr<HttpCluster> cluster_;
};

TEST_F(HttpClientsTest, AnswersAreAsOpenAiDescribesThem) { Run("answers_test.mjs"); }

TEST_F(HttpClientsTest, OpenAisOwnClientWorksUnchanged) { Run("openai_test.mjs"); }

TEST_F(HttpClientsTest, AnswersAreHeldToFormatsAndCallTools) { Run("formats_test.mjs"); }

}  // namespace
}  // namespace enigma::testing
