// Training on real processes: a model that answers, and the same bits whatever happens to the workers on the way.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/cluster/training_jobs.h"
#include "tests/support/edited_model.h"

namespace enigma::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

// Sixty questions, each with an answer that only it has.
std::string WriteQuestions(const Cluster& cluster) {
  const char* const things[] = {"lamp", "river", "stone", "cloud", "engine", "garden"};
  const char* const colours[] = {"red", "green", "blue", "white", "black", "yellow", "brown", "grey", "pink", "violet"};
  std::string path = cluster.directory() + "/questions.txt";
  std::ofstream file(path);
  for (size_t thing = 0; thing < std::size(things); ++thing) {
    for (size_t place = 0; place < std::size(colours); ++place) {
      file << "Q: What colour is " << things[thing] << " number " << place << "?\nA: It is "
           << colours[(place * 7 + thing * 3) % std::size(colours)] << ".\n\n";
    }
  }
  return path;
}

std::vector<std::string> TrainArguments(const std::string& data, const std::string& name, const std::string& steps) {
  return {"train",   "--data",
          data,      "--size",
          "pi_zero", "--name",
          name,      "--vocab-size",
          "320",     "--steps",
          steps,     "--batch",
          "12",      "--slots",
          "6",       "--context",
          "64",      "--lr",
          "0.005",   "--seed",
          "7",       "--validation-share",
          "0",       "--checkpoint-every",
          "40",      "--detach",
          "--json"};
}

// Null while the coordinator is not there.
nlohmann::json JobNow(const Cluster& cluster, uint64_t job) {
  const RunResult listed = cluster.Enigma({"jobs", "--json"});
  const auto json = nlohmann::json::parse(listed.out, nullptr, false);
  if (listed.status != 0 || !json.is_object()) return nullptr;
  for (const auto& info : json.at("jobs")) {
    if (info.at("job") == job) return info;
  }
  return nullptr;
}

// Until the job is in `state`, or has made `step` steps; what it was last.
nlohmann::json Await(const Cluster& cluster, uint64_t job, const std::function<bool(const nlohmann::json&)>& reached,
                     seconds timeout) {
  const auto start = Clock::now();
  nlohmann::json info;
  while (Clock::now() - start < timeout) {
    info = JobNow(cluster, job);
    if (!info.is_null() && (reached(info) || info.at("state") == "failed")) return info;
    std::this_thread::sleep_for(milliseconds(50));
  }
  ADD_FAILURE() << "job " << job << " did not get there: " << info.dump(1) << cluster.Logs();
  return info;
}

nlohmann::json AwaitStep(const Cluster& cluster, uint64_t job, uint64_t step) {
  return Await(
      cluster, job, [&](const nlohmann::json& info) { return info.at("step") >= step; }, seconds(60));
}

void ExpectDone(const Cluster& cluster, uint64_t job) {
  const nlohmann::json info = Await(
      cluster, job, [](const nlohmann::json& i) { return i.at("state") == "done"; }, seconds(120));
  ASSERT_FALSE(info.is_null());
  ASSERT_EQ(info.at("state"), "done") << info.dump(1) << cluster.Logs();
}

TEST(TrainingTest, TrainsOnAllWorkersRegistersTheModelAndAnswersFromIt) {
  const auto cluster = Cluster::StartWithWorkers(3);
  ASSERT_NE(cluster, nullptr);
  const std::string data = WriteQuestions(*cluster);
  const uint64_t job = TrainJob(*cluster, TrainArguments(data, "colours", "400"));
  ASSERT_GT(job, 0u);

  // The name is taken from now on.
  const RunResult second = cluster->Enigma(TrainArguments(data, "colours", "10"));
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.err, HasSubstr("colours"));

  const nlohmann::json running = AwaitStep(*cluster, job, 5);
  EXPECT_EQ(running.at("ranks").size(), 3u) << running.dump(1);
  ExpectDone(*cluster, job);

  const RunResult load = cluster->Enigma({"load", "colours"});
  ASSERT_EQ(load.status, 0) << load.err << cluster->Logs();
  int right = 0;
  const auto ask = [&](const std::string& question) {
    const auto answer = cluster->Json({"generate", "--model", "colours", "--raw", "--temperature", "0", "--max-tokens",
                                       "24", "--json", "Q: " + question + "\nA:"});
    return answer.is_null() ? std::string() : answer.at("text").get<std::string>();
  };
  right += ask("What colour is lamp number 0?").find("It is red.") != std::string::npos;
  right += ask("What colour is river number 3?").find("It is green.") == std::string::npos ? 0 : 1;
  right += ask("What colour is garden number 5?").find("It is red.") == std::string::npos ? 0 : 1;
  right += ask("What colour is stone number 1?").find("It is ") == std::string::npos ? 0 : 1;
  EXPECT_GE(right, 2) << ask("What colour is lamp number 0?") << " | " << ask("What colour is river number 3?");
}

// kill -9, SIGSTOP, a newcomer, and a coordinator that restarts: the job ends with the bits of one that was left alone.
TEST(TrainingTest, WhateverHappensToWorkersTheBitsAreThoseOfAnUndisturbedRun) {
  const auto cluster = Cluster::StartWithWorkers(3);
  ASSERT_NE(cluster, nullptr);
  const std::string data = WriteQuestions(*cluster);
  const std::string steps = "600";
  const uint64_t undisturbed = TrainJob(*cluster, TrainArguments(data, "undisturbed", steps));
  ASSERT_GT(undisturbed, 0u);
  ExpectDone(*cluster, undisturbed);
  const std::string expected = FinalState(*cluster, undisturbed);

  std::vector<std::string> alone = TrainArguments(data, "alone", steps);
  alone.insert(alone.end(), {"--workers", "1"});
  const uint64_t one = TrainJob(*cluster, alone);
  ASSERT_GT(one, 0u);
  ExpectDone(*cluster, one);
  EXPECT_EQ(FinalState(*cluster, one) == expected, true) << "one worker ends with other bits than three";

  const uint64_t job = TrainJob(*cluster, TrainArguments(data, "disturbed", steps));
  ASSERT_GT(job, 0u);
  uint64_t step = AwaitStep(*cluster, job, 20).at("step");
  cluster->worker(1).Signal(SIGKILL);
  const auto killed = Clock::now();
  step = AwaitStep(*cluster, job, step + 3).at("step");
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - killed);
  std::fprintf(stderr, "after kill -9 the job went on within %lld ms\n", static_cast<long long>(took.count()));
  EXPECT_LT(took, seconds(10)) << cluster->Logs();

  cluster->StopWorker(1);
  cluster->StartWorker(3, 0, {"--threads", "1"});  // a newcomer
  step = AwaitStep(*cluster, job, step + 60).at("step");

  cluster->worker(2).Signal(SIGSTOP);
  step = AwaitStep(*cluster, job, step + 20).at("step");
  cluster->worker(2).Signal(SIGCONT);
  step = AwaitStep(*cluster, job, step + 20).at("step");

  cluster->coordinator().Signal(SIGKILL);
  cluster->coordinator().Wait(seconds(10));
  cluster->StartCoordinator();
  ExpectDone(*cluster, job);
  EXPECT_EQ(FinalState(*cluster, job) == expected, true) << "the disturbed run ends with other bits" << cluster->Logs();
}

// Answers that nothing but memory can tell: what is held out is soon told worse and worse.
TEST(TrainingTest, TheModelIsTheSameBestStateWhateverHappensToWorkers) {
  const auto cluster = Cluster::StartWithWorkers(3);
  ASSERT_NE(cluster, nullptr);
  const std::string data = WriteQuestions(*cluster);
  const auto submit = [&](const std::string& name, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = TrainArguments(data, name, "300");
    *(std::find(arguments.begin(), arguments.end(), "--validation-share") + 1) = "0.2";
    *(std::find(arguments.begin(), arguments.end(), "--checkpoint-every") + 1) = "1000";
    arguments.insert(arguments.end(), {"--validate-every", "20", "--keep-checkpoints", "1"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return TrainJob(*cluster, arguments);
  };
  const uint64_t alone = submit("alone", {"--workers", "1"});
  ASSERT_GT(alone, 0u);
  ExpectDone(*cluster, alone);
  const nlohmann::json expected = JobNow(*cluster, alone);
  const uint64_t best = expected.at("best_step");
  ASSERT_GT(best, 0u);
  ASSERT_LT(best, 300u) << "nothing is to be seen where the last is the best";
  EXPECT_EQ(expected.at("model_step"), best);

  const uint64_t job = submit("disturbed", {});
  ASSERT_GT(job, 0u);
  const uint64_t step = AwaitStep(*cluster, job, best + 5).at("step");
  cluster->worker(0).Signal(SIGKILL);
  AwaitStep(*cluster, job, std::min<uint64_t>(step + 30, 300));
  cluster->coordinator().Signal(SIGKILL);
  cluster->coordinator().Wait(seconds(10));
  cluster->StartCoordinator();
  ExpectDone(*cluster, job);
  const nlohmann::json disturbed = JobNow(*cluster, job);
  EXPECT_EQ(disturbed.at("best_step"), best);
  EXPECT_EQ(disturbed.at("model_step"), best);
  EXPECT_EQ(disturbed.at("best_validation_loss"), expected.at("best_validation_loss"));
  EXPECT_EQ(StateOf(*cluster, job, best) == StateOf(*cluster, alone, best), true);
}

// Each on workers of its own, at the same time.
TEST(TrainingTest, TwoJobsSideBySideEndWithTheBitsOfEachAlone) {
  const auto cluster = Cluster::StartWithWorkers(3);
  ASSERT_NE(cluster, nullptr);
  const std::string data = WriteQuestions(*cluster);
  const auto submit = [&](const std::string& name, const std::string& steps, const std::string& seed,
                          const std::string& workers) {
    std::vector<std::string> arguments = TrainArguments(data, name, steps);
    *(std::find(arguments.begin(), arguments.end(), "--seed") + 1) = seed;
    arguments.insert(arguments.end(), {"--workers", workers});
    return TrainJob(*cluster, arguments);
  };
  // The second is so short that it is over while the first still runs, however slow both are.
  const uint64_t first_alone = submit("first-alone", "600", "7", "3");
  ASSERT_GT(first_alone, 0u);
  ExpectDone(*cluster, first_alone);
  const uint64_t second_alone = submit("second-alone", "20", "8", "3");
  ASSERT_GT(second_alone, 0u);
  ExpectDone(*cluster, second_alone);

  const uint64_t first = submit("first", "600", "7", "2");
  ASSERT_GT(first, 0u);
  const uint64_t second = submit("second", "20", "8", "1");
  ASSERT_GT(second, 0u);
  ExpectDone(*cluster, second);
  const nlohmann::json beside = JobNow(*cluster, first);
  // Paused: a busy machine can keep a worker from being heard of for a while.
  EXPECT_THAT(beside.at("state").get<std::string>(), AnyOf("running", "paused")) << beside.dump(1) << cluster->Logs();
  EXPECT_LT(beside.at("step"), 600) << "they were not side by side";
  ExpectDone(*cluster, first);

  std::set<std::string> used;
  for (const uint64_t job : {first, second}) {
    const nlohmann::json info = JobNow(*cluster, job);
    for (const auto& node : info.at("ranks")) used.insert(node.get<std::string>());
  }
  EXPECT_EQ(used.size(), 3u) << "two on the first, one on the second: " << JobNow(*cluster, first).dump(1)
                             << JobNow(*cluster, second).dump(1);
  EXPECT_EQ(FinalState(*cluster, first) == FinalState(*cluster, first_alone), true) << cluster->Logs();
  EXPECT_EQ(FinalState(*cluster, second) == FinalState(*cluster, second_alone), true) << cluster->Logs();
  EXPECT_EQ(FinalState(*cluster, first) == FinalState(*cluster, second), false);
}

// Both workers live, and only they do not reach each other: one of them is left out.
TEST(TrainingTest, ACutBetweenTwoWorkersChangesNoBit) {
  std::string why;
  const auto network = BridgedHosts::Create(4, &why);
  if (network == nullptr) GTEST_SKIP() << "no bridged hosts: " << why;
  const auto cluster = Cluster::Start({.network = network.get()});
  ASSERT_NE(cluster, nullptr);
  for (int i = 1; i < 4; ++i) cluster->StartWorker(i, i, {"--threads", "1"});
  ASSERT_TRUE(cluster->WaitForNodes(3));
  const std::string data = WriteQuestions(*cluster);
  const uint64_t undisturbed = TrainJob(*cluster, TrainArguments(data, "undisturbed", "300"));
  ASSERT_GT(undisturbed, 0u);
  ExpectDone(*cluster, undisturbed);

  const uint64_t job = TrainJob(*cluster, TrainArguments(data, "cut", "300"));
  ASSERT_GT(job, 0u);
  const uint64_t step = AwaitStep(*cluster, job, 20).at("step");
  if (!network->CutBetween(1, 2)) GTEST_SKIP() << "nftables are not to be had here";
  const auto cut = Clock::now();
  AwaitStep(*cluster, job, step + 5);
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - cut);
  std::fprintf(stderr, "after the cut the job went on within %lld ms\n", static_cast<long long>(took.count()));
  ExpectDone(*cluster, job);
  EXPECT_EQ(FinalState(*cluster, job) == FinalState(*cluster, undisturbed), true) << cluster->Logs();
}

TEST(TrainingTest, AJobWithoutWorkersWaitsAndGoesOn) {
  const auto cluster = Cluster::StartWithWorkers(2);
  ASSERT_NE(cluster, nullptr);
  const std::string data = WriteQuestions(*cluster);
  const uint64_t undisturbed = TrainJob(*cluster, TrainArguments(data, "undisturbed", "300"));
  ASSERT_GT(undisturbed, 0u);
  ExpectDone(*cluster, undisturbed);

  const uint64_t job = TrainJob(*cluster, TrainArguments(data, "orphan", "300"));
  ASSERT_GT(job, 0u);
  AwaitStep(*cluster, job, 60);  // a checkpoint is there
  for (int i = 0; i < 2; ++i) cluster->worker(i).Signal(SIGKILL);
  const nlohmann::json waiting = Await(
      *cluster, job, [](const nlohmann::json& info) { return info.at("state") == "waiting"; }, seconds(30));
  EXPECT_NE(waiting.at("reason"), "") << waiting.dump(1);
  cluster->StopWorker(0);
  cluster->StartWorker(4, 0, {"--threads", "1"});
  ExpectDone(*cluster, job);
  EXPECT_EQ(FinalState(*cluster, job) == FinalState(*cluster, undisturbed), true) << cluster->Logs();
}

TEST(TrainingTest, LoraMakesAModelAndAnAdapterFromOneThatStays) {
  const auto cluster = Cluster::StartWithWorkers(2);
  ASSERT_NE(cluster, nullptr);
  const std::string data = WriteQuestions(*cluster);
  const uint64_t base = TrainJob(*cluster, TrainArguments(data, "first", "60"));
  ASSERT_GT(base, 0u);
  ExpectDone(*cluster, base);

  const auto adapt = [&](const std::string& targets) -> std::vector<std::string> {
    return {"train", "--data",  data, "--base",   "first", "--name",  "second", "--lora-rank", "8",  "--lora-targets",
            targets, "--steps", "60", "--batch",  "12",    "--slots", "6",      "--context",   "64", "--lr",
            "0.02",  "--seed",  "7",  "--detach", "--json"};
  };
  const RunResult refused = cluster->Enigma(adapt("attn_q,attn_x"));
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("attn_x"));
  const uint64_t job = TrainJob(*cluster, adapt("attn_q,attn_v,ffn_down"));
  ASSERT_GT(job, 0u);
  ExpectDone(*cluster, job);
  const auto loss = [&](uint64_t of) { return JobNow(*cluster, of).at("loss").get<double>(); };
  EXPECT_LT(loss(job), loss(base)) << "it went on from the base model";

  const std::string exports = cluster->data_dir() + "/jobs/" + std::to_string(job) + "/exports/";
  ASSERT_TRUE(std::filesystem::exists(exports + "adapter.gguf"));
  EXPECT_LT(std::filesystem::file_size(exports + "adapter.gguf"),
            std::filesystem::file_size(exports + "model.gguf") / 2);
  const RunResult load = cluster->Enigma({"load", "second"});
  ASSERT_EQ(load.status, 0) << load.err << cluster->Logs();
  const auto answer = cluster->Json({"generate", "--model", "second", "--raw", "--temperature", "0", "--max-tokens",
                                     "12", "--json", "Q: What colour is lamp number 0?\nA:"});
  ASSERT_FALSE(answer.is_null());
  EXPECT_THAT(answer.at("text").get<std::string>(), HasSubstr("It is"));
}

// All of a model is trained on, and how it turns positions stays.
TEST(TrainingTest, AWholeModelIsTunedFromWhereItWasAndKeepsItsRotation) {
  const auto cluster = Cluster::StartWithWorkers(2);
  ASSERT_NE(cluster, nullptr);
  const std::string data = WriteQuestions(*cluster);
  const uint64_t base = TrainJob(*cluster, TrainArguments(data, "first", "80"));
  ASSERT_GT(base, 0u);
  ExpectDone(*cluster, base);

  // Divisors of 1 change nothing of what was learned.
  const std::string stretched = cluster->directory() + "/stretched.gguf";
  EditModel(cluster->data_dir() + "/jobs/" + std::to_string(base) + "/exports/model.gguf", stretched,
            [](EditableModel& model) {
              const std::string architecture = model.metadata.StringOr("general.architecture", "");
              const uint64_t pairs = model.metadata.UintOr(architecture + ".rope.dimension_count", 0) / 2;
              model.AddFloats("rope_freqs.weight", std::vector<float>(pairs, 1.0F));
            });
  const RunResult imported = cluster->Enigma({"models", "import", stretched, "--name", "stretched"});
  ASSERT_EQ(imported.status, 0) << imported.err;
  const uint64_t job = TrainJob(
      *cluster,
      {"train", "--data",   data,    "--base",    "stretched", "--name", "tuned", "--steps", "40", "--batch",
       "12",    "--slots",  "6",     "--context", "64",        "--lr",   "0.001", "--seed",  "7",  "--validation-share",
       "0",     "--detach", "--json"});
  ASSERT_GT(job, 0u);
  ExpectDone(*cluster, job);
  const RunResult watched = cluster->Enigma({"jobs", "watch", std::to_string(job), "--json", "--history", "1000"});
  ASSERT_EQ(watched.status, 0) << watched.err;
  const auto points = nlohmann::json::parse(watched.out.substr(0, watched.out.find('\n'))).at("points");
  const double learned = JobNow(*cluster, base).at("loss").get<double>();
  EXPECT_LT(points.front().at("loss").get<double>(), learned + 0.5) << points.front().dump();
  EXPECT_LT(points.back().at("loss").get<double>(), learned) << points.back().dump();
  std::ifstream made(cluster->data_dir() + "/jobs/" + std::to_string(job) + "/exports/model.gguf", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(made), std::istreambuf_iterator<char>()};
  EXPECT_NE(bytes.find("rope_freqs.weight"), std::string::npos);
}

// Three labels, each with words of its own.
std::string WriteIntents(const Cluster& cluster) {
  const char* const labels[] = {"chat", "code", "weather"};
  const char* const words[3][6] = {{"hello", "friend", "story", "opinion", "advice", "feel"},
                                   {"python", "compile", "function", "array", "pointer", "regex"},
                                   {"rain", "snow", "wind", "storm", "sunny", "forecast"}};
  std::string path = cluster.directory() + "/intents.tsv";
  std::ofstream file(path);
  for (size_t label = 0; label < 3; ++label) {
    for (size_t i = 0; i < 36; ++i) {
      file << labels[label] << "\tplease " << words[label][i % 6] << " and " << words[label][i / 6] << " now\n";
    }
  }
  // Neither trained on nor held out so often.
  for (int i = 0; i < 40; ++i) file << "chat\tplease hello and story now\n";
  return path;
}

TEST(TrainingTest, ARouterIsTrainedCalibratedAndMeasured) {
  const auto cluster = Cluster::StartWithWorkers(2);
  ASSERT_NE(cluster, nullptr);
  const std::string data = WriteIntents(*cluster);
  const uint64_t job = TrainJob(
      *cluster,
      {"train",           "--data", data,       "--task", "router", "--size", "pi_zero", "--name", "router",
       "--vocab-size",    "400",    "--steps",  "80",     "--seed", "7",      "--lr",    "0.005",  "--answers-only",
       "--token-dropout", "0.1",    "--detach", "--json"});
  ASSERT_GT(job, 0u);
  ExpectDone(*cluster, job);
  EXPECT_THAT(JobNow(*cluster, job).at("reason").get<std::string>(), HasSubstr("of 12 held out texts right"));

  const std::string model = cluster->data_dir() + "/jobs/" + std::to_string(job) + "/exports/model.gguf";
  const RunResult measured =
      RunCommand({EnigmaBinary(), "eval", "router", "--model", model, "--data", data, "--held-out", "0.1", "--json"});
  ASSERT_EQ(measured.status, 0) << measured.err;
  const auto json = nlohmann::json::parse(measured.out);
  EXPECT_EQ(json.at("texts"), 12);
  EXPECT_GE(json.at("accuracy").get<double>(), 0.9) << json.dump(1);
  EXPECT_NE(json.at("temperature"), 1.0);
  EXPECT_EQ(json.at("per_label").size(), 3u);
  EXPECT_TRUE(json.at("oos_auroc").is_null());

  const std::string other = cluster->directory() + "/other.tsv";
  std::ofstream(other) << "chat\tplease hello and story now\noos\tthe 17 zebras\nmath\tone and one\n";
  const RunResult refused = RunCommand({EnigmaBinary(), "eval", "router", "--model", model, "--data", other});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("other.tsv:3: the router has no label 'math'; it has chat, code, weather"));
}

TEST(TrainingTest, WhatIsWrongWithTheDataIsSaidWithFileAndLine) {
  const auto cluster = Cluster::Start({});
  ASSERT_NE(cluster, nullptr);
  const auto error_of = [&](const std::string& name, const std::string& content) {
    const std::string path = cluster->directory() + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    const RunResult result = cluster->Enigma(TrainArguments(path, "bad", "10"));
    EXPECT_EQ(result.status, 1) << name;
    return result.err;
  };
  EXPECT_THAT(error_of("bytes.txt", "one line\nand \xff\xfe here\n"), HasSubstr("bytes.txt:2"));
  EXPECT_THAT(error_of("empty.txt", ""), HasSubstr("empty.txt"));
  EXPECT_THAT(error_of("pairs.txt", "Q: one?\nA: yes\n\nQ: two?\n"), HasSubstr("pairs.txt:4"));
  EXPECT_THAT(error_of("broken.jsonl", "{\"text\": \"good\"}\n{\"text\": \n"), HasSubstr("broken.jsonl:2"));
  EXPECT_TRUE(cluster->Json({"jobs"}).at("jobs").empty());
}

}  // namespace
}  // namespace enigma::testing
