// Conversations over gRPC against a live cluster: `enigma chat`, and the example clients as their README runs them.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/support/edited_model.h"
#include "tests/support/synthetic_models.h"

namespace enigma::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

// Large enough that an answer of 400 tokens outlasts a deadline of milliseconds and a client's cancellation.
constexpr char kShape[] = "27m";
constexpr char kTemplate[] =
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]";

class ExamplesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TemporaryDirectory;
    EditModel(SyntheticModelPath(kShape, "q4_0"), Talker(),
              [](EditableModel& model) { model.metadata.Set("tokenizer.chat_template", std::string(kTemplate)); });
    Cluster::Options options;
    options.coordinator_flags = {"--tls-self-signed", "--public-grpc", "127.0.0.1:0"};
    cluster_ = Cluster::Start(std::move(options)).release();
    ASSERT_NE(cluster_, nullptr);
    cluster_->StartWorker(0);
    ASSERT_TRUE(cluster_->WaitForNodes(1));
    ASSERT_EQ(cluster_->Enigma({"models", "import", Talker(), "--name", "talker"}).status, 0) << cluster_->Logs();
    ASSERT_EQ(cluster_->Enigma({"load", "talker"}).status, 0) << cluster_->Logs();
  }
  static void TearDownTestSuite() {
    delete cluster_;
    delete directory_;
  }
  void SetUp() override { ASSERT_NE(cluster_, nullptr); }

  static std::string Talker() { return directory_->path() + "/talker.gguf"; }
  // An enigma command of this cluster that reads `input`.
  static RunResult Feed(const std::string& input, const std::vector<std::string>& arguments) {
    const std::string path = directory_->path() + "/input";
    std::ofstream(path) << input;
    std::vector<std::string> argv = {"bash", "-c", "exec \"$@\" <\"$0\"", path, EnigmaBinary()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return RunCommand(argv);
  }
  static std::string CaCertificate() { return cluster_->data_dir() + "/pki/cluster-ca.crt"; }
  static std::string PublicAddress() {
    std::ifstream in(cluster_->data_dir() + "/endpoint.json");
    return nlohmann::json::parse(in).at("public_grpc");
  }
  // Flags for the address between nodes, whose certificate has names of the cluster.
  static std::vector<std::string> Inside() {
    return {"--address", cluster_->Endpoint(), "--ca", CaCertificate(), "--model", "talker"};
  }
  // Flags for the address that is there for such programs.
  static std::vector<std::string> Outside(const std::string& key) {
    return {"--address", PublicAddress(), "--ca", CaCertificate(), "--server-name",
            "localhost", "--key",         key,    "--model",       "talker"};
  }
  static std::string NewKey(const std::string& name) {
    return cluster_->Json({"keys", "create", "--name", name}).at("secret");
  }
  // A key that is none, and a certificate of another name than is expected, over the public address.
  static void ExpectRefusals(const std::function<RunResult(const std::vector<std::string>&)>& run) {
    std::vector<std::string> flags = Outside("enk-" + std::string(64, '0'));
    const RunResult stranger = run(flags);
    EXPECT_EQ(stranger.status, 1) << stranger.out;
    EXPECT_THAT(stranger.err, HasSubstr("UNAUTHENTICATED: "));
    flags[5] = "coordinator.enigma.internal";  // a name of the other address
    const RunResult misnamed = run(flags);
    EXPECT_EQ(misnamed.status, 1) << misnamed.out;
    EXPECT_THAT(misnamed.err, HasSubstr("UNAVAILABLE: "));
  }
  // What both clients print, whatever language they are in.
  static void ExpectAbilities(const RunResult& result) {
    ASSERT_EQ(result.status, 0) << result.out << result.err << cluster_->Logs();
    const auto text =
        cluster_->Json({"generate", "--model", "talker", "--raw", "--max-tokens", "24", "Once upon a time"});
    const RunResult chat = Feed("Tell me a story.\n", {"chat", "--model", "talker", "--system", "You are brief.",
                                                       "--max-tokens", "24", "--data-dir", cluster_->data_dir()});
    ASSERT_EQ(chat.status, 0) << chat.err;
    EXPECT_THAT(result.out, HasSubstr("models: talker (ready)\n"));
    EXPECT_THAT(result.out, HasSubstr("text: " + text.at("text").get<std::string>() + " [length]\n"));
    EXPECT_THAT(result.out, HasSubstr("chat: " + chat.out.substr(0, chat.out.size() - 1) + " [length]\n"));
    EXPECT_THAT(result.out, HasSubstr("embeddings: 512 numbers each; likeness "));
    EXPECT_THAT(result.out, HasSubstr("deadline: DEADLINE_EXCEEDED\n"));
    EXPECT_THAT(result.out, HasSubstr("cancellation: CANCELLED\n"));
    // What was late or unwanted is gone.
    uint32_t running = 1;
    for (int i = 0; i < 100 && running > 0; ++i) {
      running = cluster_->Json({"models"}).at("models").at(0).at("replicas").at(0).value("running", 1U);
      if (running > 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_EQ(running, 0u);
  }

  static TemporaryDirectory* directory_;
  static Cluster* cluster_;
};
TemporaryDirectory* ExamplesTest::directory_ = nullptr;
Cluster* ExamplesTest::cluster_ = nullptr;

TEST_F(ExamplesTest, AChatRemembersItsTurnsAndIsTheSameWithoutACluster) {
  const std::vector<std::string> flags = {"--system", "Be brief.", "--max-tokens", "9"};
  std::vector<std::string> remote = {"chat", "--model", "talker", "--data-dir", cluster_->data_dir()};
  std::vector<std::string> local = {"chat", "--local", Talker(), "--threads", "1"};
  remote.insert(remote.end(), flags.begin(), flags.end());
  local.insert(local.end(), flags.begin(), flags.end());
  const RunResult there = Feed("Hello\nWhy?\n", remote);
  ASSERT_EQ(there.status, 0) << there.err;
  EXPECT_THAT(there.err, HasSubstr("cut after 9 tokens"));
  EXPECT_EQ(Feed("Hello\nWhy?\n", local).out, there.out);
  // The second answer, from the whole transcript as the template writes it.
  const auto first = cluster_->Json({"generate", "--model", "talker", "--parse-special", "--max-tokens", "9",
                                     "[system] Be brief.\n[user] Hello\n[assistant]"});
  const std::string said = first.at("text");
  const auto second =
      cluster_->Json({"generate", "--model", "talker", "--parse-special", "--max-tokens", "9",
                      "[system] Be brief.\n[user] Hello\n[assistant] " + said + "\n[user] Why?\n[assistant]"});
  EXPECT_EQ(there.out, said + "\n" + second.at("text").get<std::string>() + "\n");
}

TEST_F(ExamplesTest, GenerateAppliesTheTemplateUnlessToldNotTo) {
  const auto ids = [](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"generate", "--model", "talker", "--max-tokens", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return cluster_->Json(arguments).at("prompt_ids").get<std::vector<int>>();
  };
  EXPECT_EQ(ids({"Hello"}), ids({"--parse-special", "[user] Hello\n[assistant]"}));
  EXPECT_NE(ids({"--raw", "Hello"}), ids({"Hello"}));
}

TEST_F(ExamplesTest, ThePythonClient) {
  const std::string python = "/usr/bin/python3";
  if (RunCommand({python, "-c", "import grpc"}).status != 0) GTEST_SKIP() << "absent: python3-grpcio";
  if (RunCommand({"bash", "-c", "command -v protoc grpc_python_plugin"}).status != 0) {
    GTEST_SKIP() << "absent: protobuf-compiler-grpc";
  }
  const std::string folder = std::string(ENIGMA_SOURCE_DIR) + "/examples/python";
  const std::string stubs = directory_->path() + "/stubs";
  const RunResult made = RunCommand({folder + "/make_stubs.sh", stubs});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto run = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {python, folder + "/client.py"});
    return RunCommand(flags, seconds(120), {"PYTHONPATH=" + stubs, "PYTHONUTF8=1", "PYTHONDONTWRITEBYTECODE=1"});
  };
  ExpectAbilities(run(Inside()));
  ExpectAbilities(run(Outside(NewKey("python"))));
  ExpectRefusals(run);
}

TEST_F(ExamplesTest, TheNodeClient) {
  const std::string folder = std::string(ENIGMA_SOURCE_DIR) + "/examples/node";
  if (!std::filesystem::exists(folder + "/node_modules/@grpc/grpc-js")) {
    GTEST_SKIP() << "absent: the modules of examples/node (npm ci there)";
  }
  const auto run = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"node", folder + "/client.mjs"});
    return RunCommand(flags);
  };
  ExpectAbilities(run(Inside()));
  ExpectAbilities(run(Outside(NewKey("node"))));
  ExpectRefusals(run);
}

}  // namespace
}  // namespace enigma::testing
