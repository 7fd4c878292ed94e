// The README's requests, as they stand there, against a live cluster.
#include <fstream>
#include <string>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/str_replace.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cluster/http_cluster.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

// Every line that is a command of curl, without its indentation.
std::vector<std::string> CurlLines() {
  std::ifstream readme(std::string(ENIGMA_SOURCE_DIR) + "/README.md");
  std::vector<std::string> lines;
  for (std::string line; std::getline(readme, line);) {
    if (absl::StartsWith(line, "    curl ")) lines.push_back(line.substr(4));
  }
  return lines;
}

class ReadmeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ENIGMA_REQUIRE_DATA(stories, "models/stories260K-f32.gguf");
    if (RunCommand({"curl", "--version"}).status != 0) GTEST_SKIP() << "curl is not installed";
    stories_ = stories;
  }
  // Runs those that ask a server with this scheme; what a reader puts in by hand is put in here. How many there are.
  int RunThose(const std::string& scheme, const std::vector<std::string>& settings) {
    const auto cluster = HttpCluster::Start(stories_, settings);
    if (cluster == nullptr) return 0;
    const RunResult key = cluster->Enigma({"keys", "create", "--name", "reader", "--json"});
    EXPECT_EQ(key.status, 0) << key.err;
    const std::string secret = nlohmann::json::parse(key.out).at("secret");
    int count = 0;
    for (const std::string& line : CurlLines()) {
      if (!absl::StrContains(line, " " + scheme + "://")) continue;
      ++count;
      const std::string typed =
          absl::StrReplaceAll(line, {{"http://127.0.0.1:8080", cluster->url()},
                                     {"https://host1:8443", cluster->url()},
                                     {"cluster-ca.crt", cluster->data_dir() + "/pki/cluster-ca.crt"},
                                     {"enk-...", secret},
                                     {"NAME", "chat"}});
      const RunResult run = RunCommand({"bash", "-c", typed + " -sS -w '\n%{http_code}'"});
      EXPECT_EQ(run.status, 0) << typed << "\n" << run.err;
      const size_t status = run.out.rfind('\n') + 1;
      EXPECT_EQ(run.out.substr(status, 1), "2") << typed << "\n" << run.out;
    }
    return count;
  }
  std::string stories_;
};

TEST_F(ReadmeTest, EveryRequestIsAnsweredAsTyped) {
  const int plain = RunThose("http", {});
  const int tls = RunThose("https", {"ENIGMA_TLS_SELF_SIGNED=true"});
  EXPECT_GT(plain, 0);
  EXPECT_GT(tls, 0);
  EXPECT_EQ(static_cast<size_t>(plain + tls), CurlLines().size()) << "one asks a server that this test does not know";
}

}  // namespace
}  // namespace enigma::testing
