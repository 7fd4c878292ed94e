// Learning that takes most of an hour on two cores: characters of Shakespeare, down to the loss that a longer run is to
// reach. Label `soak`.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

// Nats per character.
constexpr double kHeldOutLossMax = 1.50;    // of the pieces that the job itself holds out
constexpr double kLastTenthLossMax = 1.60;  // of plays that it sees nothing of: what is asked within the first hour

struct Split {
  std::string learned;     // path of the first nine tenths
  std::string last_tenth;  // path of the rest
};

Split WriteSplit(const Cluster& cluster, const std::string& text) {
  const size_t cut = text.size() * 9 / 10;  // ASCII: between any two bytes
  Split split{cluster.directory() + "/learned.txt", cluster.directory() + "/last_tenth.txt"};
  std::ofstream(split.learned, std::ios::binary) << text.substr(0, cut);
  std::ofstream(split.last_tenth, std::ios::binary) << text.substr(cut);
  return split;
}

// Every validation of a job that has ended, as a table on stderr; the loss of the last one.
double PrintCurve(const Cluster& cluster, uint64_t job) {
  const RunResult watched = cluster.Enigma({"jobs", "watch", std::to_string(job), "--json", "--history", "100000"});
  EXPECT_EQ(watched.status, 0) << watched.err;
  double last = INFINITY;
  std::istringstream updates(watched.out);
  std::fprintf(stderr, "%8s %8s %8s\n", "step", "loss", "held out");
  for (std::string line; std::getline(updates, line);) {
    const auto update = nlohmann::json::parse(line, nullptr, false);
    if (!update.is_object()) continue;
    for (const auto& point : update.at("points")) {
      if (!point.contains("validation_loss") || !point.at("validation_loss").is_number()) continue;
      last = point.at("validation_loss").get<double>();
      std::fprintf(stderr, "%8llu %8.3f %8.3f\n", static_cast<unsigned long long>(point.at("step").get<uint64_t>()),
                   point.value("loss", NAN), last);
    }
  }
  return last;
}

TEST(ShakespeareSoak, CharactersAreLearntToALossOfOneAndAHalf) {
  ENIGMA_REQUIRE_DATA(path, "text/tinyshakespeare.txt");
  const auto cluster = Cluster::Start({});
  ASSERT_NE(cluster, nullptr);
  for (int i = 0; i < 2; ++i) cluster->StartWorker(i, 0, {"--threads", "1"});
  ASSERT_TRUE(cluster->WaitForNodes(2));
  const Split split = WriteSplit(*cluster, ReadFileOrDie(path));

  const RunResult trained = cluster->Enigma(
      {"train", "--data",   split.learned, "--tokenizer", "chars", "--size",    "micro", "--context", "256",  "--batch",
       "32",    "--epochs", "16",          "--precision", "bf16",  "--dropout", "0.1",   "--name",    "bard", "--json"},
      std::chrono::hours(3));
  const auto job = nlohmann::json::parse(trained.out, nullptr, false);
  ASSERT_EQ(trained.status, 0) << trained.err << cluster->Logs();
  ASSERT_TRUE(job.is_object()) << trained.out;
  ASSERT_EQ(job.at("state"), "done") << job.dump(1);
  std::fprintf(stderr, "%.1f minutes\n",
               (job.at("ended_unix_ms").get<double>() - job.at("submitted_unix_ms").get<double>()) / 60'000);
  const double held_out = PrintCurve(*cluster, job.at("job"));

  // What is exported, as it is served, on what stood in no file of the job.
  const std::string model = cluster->directory() + "/bard.gguf";
  ASSERT_EQ(cluster->Enigma({"models", "export", "bard", "--out", model}).status, 0) << cluster->Logs();
  const RunResult scored = RunCommand({EnigmaBinary(), "eval", "perplexity", "--model", model, "--data",
                                       split.last_tenth, "--context", "256", "--stride", "128", "--json"},
                                      std::chrono::minutes(20));
  ASSERT_EQ(scored.status, 0) << scored.err;
  const auto score = nlohmann::json::parse(scored.out, nullptr, false);
  ASSERT_TRUE(score.is_object()) << scored.out;
  const double last_tenth = score.at("nll_per_character");
  std::fprintf(stderr, "held out by the job %.4f, the last tenth %.4f nats per character\n", held_out, last_tenth);

  EXPECT_LE(held_out, kHeldOutLossMax);
  EXPECT_LE(last_tenth, kLastTenthLossMax);
}

}  // namespace
}  // namespace enigma::testing
