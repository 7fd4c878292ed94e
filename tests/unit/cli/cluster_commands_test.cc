// The commands against a real coordinator that is busy, gone, or asked for what it cannot give.
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ClusterCommandsTest, ABusyCoordinatorIsWaitedForAndAStoppedOneIsNamed) {
  auto cluster = Cluster::Start({});
  ASSERT_NE(cluster, nullptr);
  // Its port takes connections, and nothing answers them: as when the machine is too busy.
  cluster->coordinator().Signal(SIGSTOP);
  auto patient = cluster->StartEnigma({"nodes", "--json", "--connect-timeout", "60"}, "patient");
  const RunResult hasty = cluster->Enigma({"nodes", "--connect-timeout", "4"}, seconds(60));
  EXPECT_EQ(hasty.status, 1) << hasty.err;
  EXPECT_THAT(hasty.err, HasSubstr(cluster->Endpoint()));
  EXPECT_THAT(hasty.err, HasSubstr("did not accept the connection within 4s"));
  EXPECT_THAT(hasty.err, HasSubstr("--connect-timeout"));
  // Without keys, it still is not taken for another program's port.
  EXPECT_THAT(cluster->Enigma({"nodes", "--insecure", "--connect-timeout", "1"}, seconds(60)).err,
              HasSubstr("does it run without --insecure"));
  cluster->coordinator().Signal(SIGCONT);
  EXPECT_EQ(patient->Wait(seconds(60)), 0) << patient->Stderr();
}

TEST(ClusterCommandsTest, ManyRequestsAtOnceAllAnswer) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  auto cluster = Cluster::StartWithWorkers(1);
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "stories"}).status, 0) << cluster->Logs();
  ASSERT_EQ(cluster->Enigma({"load", "stories"}).status, 0) << cluster->Logs();
  std::vector<std::unique_ptr<Process>> clients;
  for (int i = 0; i < 60; ++i) {
    clients.push_back(cluster->StartEnigma({"generate", "--model", "stories", "--max-tokens", "4", "Once"},
                                           "client" + std::to_string(i)));
  }
  for (auto& client : clients) EXPECT_EQ(client->Wait(seconds(120)), 0) << client->Stderr();
}

TEST(ClusterCommandsTest, AnInterfaceThatIsNotThereIsNamed) {
  Cluster::Options options;
  options.coordinator_flags = {"--interface", "nosuch0", "--interface", "lo"};
  auto cluster = Cluster::Start(std::move(options));
  ASSERT_NE(cluster, nullptr);
  EXPECT_THAT(cluster->Logs(), HasSubstr("interface nosuch0: this machine has none of that name"));
  EXPECT_THAT(cluster->Logs(), Not(HasSubstr("interface lo: ")));
}

TEST(ClusterCommandsTest, ACoordinatorThatHasEndedIsNamedAtOnce) {
  auto cluster = Cluster::Start({});
  ASSERT_NE(cluster, nullptr);
  cluster->coordinator().Signal(SIGKILL);
  cluster->coordinator().Wait(seconds(30));
  const RunResult gone = cluster->Enigma({"nodes", "--connect-timeout", "300"}, seconds(120));
  EXPECT_EQ(gone.status, 1);
  EXPECT_THAT(gone.err, HasSubstr("no coordinator answers at " + cluster->Endpoint()));
  EXPECT_THAT(gone.err, Not(HasSubstr("failed to connect to all addresses")));
}

TEST(ClusterCommandsTest, ADryRunReckonsWithTheTokenizerOfTheFile) {
  auto cluster = Cluster::Start({});
  ASSERT_NE(cluster, nullptr);
  const std::string text = cluster->directory() + "/text.txt";
  const std::string vocabulary = cluster->directory() + "/letters.gguf";
  std::ofstream(text) << "Caf\u00e9.\n";
  const RunResult made = RunCommand({ENIGMA_BINARY, "train-tokenizer", "--data", text, "--kind", "char", "--words", "0",
                                     "--vocab-size", "300", "--output", vocabulary});
  ASSERT_EQ(made.status, 0) << made.err;
  const RunResult plan =
      cluster->Enigma({"train", "--name", "letters", "--size", "nano", "--tokenizer", vocabulary, "--dry-run"});
  EXPECT_EQ(plan.status, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr(" 277 tokens")) << "256 bytes, 20 special ones, one character";
  const RunResult other =
      cluster->Enigma({"train", "--name", "letters", "--size", "nano", "--tokenizer", text, "--dry-run"});
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.err, HasSubstr(text));
}

std::string BytesOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

TEST(ClusterCommandsTest, AModelIsExportedAsItIsOrQuantised) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  auto cluster = Cluster::Start({});
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "tale"}).status, 0) << cluster->Logs();
  const std::string copy = cluster->directory() + "/copy.gguf";
  const RunResult plain = cluster->Enigma({"models", "export", "tale", "--out", copy});
  ASSERT_EQ(plain.status, 0) << plain.err;
  EXPECT_EQ(BytesOf(copy), BytesOf(model));

  const std::string small = cluster->directory() + "/small.gguf";
  const auto exported = cluster->Json({"models", "export", "tale", "--type", "q8_0", "--out", small});
  ASSERT_FALSE(exported.is_null());
  EXPECT_EQ(exported.at("bytes"), std::filesystem::file_size(small));
  EXPECT_LT(std::filesystem::file_size(small), std::filesystem::file_size(copy) / 2);
  const RunResult said = RunCommand({ENIGMA_BINARY, "generate", "--local", small, "--max-tokens", "4", "Once upon"});
  EXPECT_EQ(said.status, 0) << said.err;
  // The same as from the file itself.
  const std::string quantised = cluster->directory() + "/quantised.gguf";
  const RunResult made = RunCommand({ENIGMA_BINARY, "models", "quantize", copy, quantised, "--type", "q8_0"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(BytesOf(quantised), BytesOf(small));

  const RunResult kept = cluster->Enigma({"models", "export", "tale", "--out", small});
  EXPECT_EQ(kept.status, 1);
  EXPECT_THAT(kept.err, HasSubstr("--force"));
  const RunResult nowhere = cluster->Enigma({"models", "export", "tale", "--out", cluster->directory() + "/no/m.gguf"});
  EXPECT_EQ(nowhere.status, 1);
  EXPECT_THAT(nowhere.err, HasSubstr("cannot be made: No such file or directory"));
  const RunResult absent = cluster->Enigma({"models", "export", "nobody", "--out", cluster->directory() + "/no.gguf"});
  EXPECT_EQ(absent.status, 1);
  EXPECT_THAT(absent.err, HasSubstr("known: tale"));
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "org/tale"}).status, 0);
  const std::filesystem::path here = std::filesystem::current_path();
  std::filesystem::current_path(cluster->directory());
  const RunResult named = cluster->Enigma({"models", "export", "org/tale"});
  std::filesystem::current_path(here);
  EXPECT_EQ(named.status, 0) << named.err;
  EXPECT_EQ(BytesOf(cluster->directory() + "/tale.gguf"), BytesOf(model));
  for (const auto& entry : std::filesystem::directory_iterator(cluster->directory())) {
    EXPECT_NE(entry.path().extension(), ".part") << "something is left over";
  }
}

// The last byte of a file is weight, so that the model stays one.
void ChangeLastByte(const std::string& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(-1, std::ios::end);
  const char changed = static_cast<char>(file.get() ^ 1);
  file.seekp(-1, std::ios::end);
  file.put(changed);
}

TEST(ClusterCommandsTest, AChangedFileTakesItsOldNameAsTheMessagesSay) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  auto cluster = Cluster::StartWithWorkers(1);
  ASSERT_NE(cluster, nullptr);
  const std::string path = cluster->directory() + "/m.gguf";
  std::filesystem::copy_file(model, path);
  std::filesystem::permissions(path, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  const auto first = cluster->Json({"models", "import", path});
  ASSERT_FALSE(first.is_null());
  ASSERT_EQ(cluster->Enigma({"load", "m"}).status, 0) << cluster->Logs();

  ChangeLastByte(path);
  const RunResult clash = cluster->Enigma({"models", "import", path});
  EXPECT_EQ(clash.status, 1);
  EXPECT_THAT(clash.err, HasSubstr("--replace"));
  const RunResult in_service = cluster->Enigma({"models", "import", path, "--replace"});
  EXPECT_EQ(in_service.status, 1);
  EXPECT_THAT(in_service.err, HasSubstr("enigma unload m"));
  ASSERT_EQ(cluster->Enigma({"unload", "m"}).status, 0);
  const RunResult stale = cluster->Enigma({"load", "m"});
  EXPECT_EQ(stale.status, 1);
  EXPECT_THAT(stale.err, HasSubstr("enigma models import " + path + " --name m --replace"));

  const auto second = cluster->Json({"models", "import", path, "--replace"});
  ASSERT_FALSE(second.is_null());
  EXPECT_NE(second.at("content_id"), first.at("content_id"));
  EXPECT_EQ(cluster->Enigma({"load", "m"}).status, 0) << cluster->Logs();
  EXPECT_EQ(cluster->Enigma({"generate", "--model", "m", "--max-tokens", "4", "Once"}).status, 0) << cluster->Logs();
}

TEST(ClusterCommandsTest, LayersAreCountedToTheLastOneInJsonAndInLogs) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  auto cluster = Cluster::StartWithWorkers(2);
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "stories"}).status, 0) << cluster->Logs();
  const auto plan = cluster->Json({"plan", "stories", "--stages", "2"});
  const auto load = cluster->Json({"load", "stories", "--stages", "2"});
  ASSERT_FALSE(plan.is_null() || load.is_null());
  for (const auto& stages : {plan.at("stages"), load.at("replica").at("stages")}) {
    ASSERT_EQ(stages.size(), 2U);
    EXPECT_EQ(stages[0].at("first_layer"), 0);
    EXPECT_EQ(stages[1].at("first_layer").get<int>(), stages[0].at("last_layer").get<int>() + 1);
    EXPECT_EQ(stages[1].at("last_layer"), 4);  // of five
  }
  EXPECT_THAT(cluster->Logs(), HasSubstr("to 4, "));
  EXPECT_THAT(cluster->Logs(), Not(HasSubstr("to 5, ")));
}

TEST(ClusterCommandsTest, TooFewNodesIsSaidOfEachNode) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  auto cluster = Cluster::StartWithWorkers(1);
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(cluster->Enigma({"models", "import", model, "--name", "stories"}).status, 0) << cluster->Logs();
  const RunResult plan = cluster->Enigma({"plan", "stories", "--stages", "2"});
  EXPECT_EQ(plan.status, 1);
  EXPECT_THAT(plan.err, HasSubstr("2 stages need 2 nodes; 1 is usable"));
  EXPECT_THAT(plan.out, HasSubstr("fewer usable nodes (1) than the 2 stages asked for"));
}

}  // namespace
}  // namespace enigma::testing
