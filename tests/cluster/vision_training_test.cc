// Training an image encoder with its decoder on real processes: from a folder of pictures to files that say what they
// see, the same bits with any workers.
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

using ::testing::HasSubstr;

std::string WriteScenes(const Cluster& cluster) {
  std::string path = cluster.directory() + "/scenes";
  const RunResult made =
      RunCommand({EnigmaBinary(), "data", "scenes", "--out", path, "--count", "60", "--size", "32", "--seed", "3"});
  EXPECT_EQ(made.status, 0) << made.err;
  return path;
}

constexpr char kSteps[] = "80";  // enough for a worker to be killed on the way

std::vector<std::string> TrainArguments(const std::string& data, const std::string& name) {
  return {"train", "--task",  "vision", "--data",  data,     "--size",      "nano", "--image-size", "32",  "--name",
          name,    "--steps", kSteps,   "--batch", "6",      "--slots",     "6",    "--vocab-size", "320", "--seed",
          "7",     "--json",  "--lr",   "0.002",   "--flip", "--crop-side", "0.9"};
}

// What a job exported. Names have one length, and are taken for the same.
std::string Exported(const Cluster& cluster, uint64_t job, const std::string& file, const std::string& name) {
  const std::string path = cluster.data_dir() + "/jobs/" + std::to_string(job) + "/exports/" + file;
  if (!std::filesystem::exists(path)) return "no " + path;
  std::string bytes = ReadFileOrDie(path);
  for (size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at)) {
    bytes.replace(at, name.size(), std::string(name.size(), '#'));
  }
  return bytes;
}

TEST(VisionTrainingTest, TwoWorkersOneAndOneThatIsKilledMakeTheSameFiles) {
  const auto cluster = Cluster::StartWithWorkers(2);
  ASSERT_NE(cluster, nullptr);
  const std::string scenes = WriteScenes(*cluster);

  const RunResult estimate = cluster->Enigma(
      {"train", "--task", "vision", "--size", "nano", "--name", "seer-0", "--steps", "10", "--dry-run"});
  EXPECT_EQ(estimate.status, 0) << estimate.err;
  EXPECT_THAT(estimate.out, HasSubstr("image encoder: 64 x 64 pixels"));

  const nlohmann::json two = cluster->Json(TrainArguments(scenes, "seer-2"));
  ASSERT_TRUE(two.is_object());
  EXPECT_EQ(two.at("state"), "done") << two.dump(1);
  EXPECT_EQ(two.at("ranks").size(), 2u);
  EXPECT_GT(two.at("validation_loss").get<double>(), 0);
  std::vector<std::string> alone = TrainArguments(scenes, "seer-1");
  alone.insert(alone.end(), {"--workers", "1"});
  const nlohmann::json one = cluster->Json(alone);
  ASSERT_TRUE(one.is_object());
  EXPECT_EQ(one.at("ranks").size(), 1u);

  nlohmann::json disturbed;
  std::thread training([&] { disturbed = cluster->Json(TrainArguments(scenes, "seer-3")); });
  uint64_t step = 0;
  for (int look = 0; look < 1200 && step < 3; ++look) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const nlohmann::json jobs = cluster->Json({"jobs"});
    for (const auto& job : jobs.at("jobs")) {
      if (job.at("model") == "seer-3") step = job.at("step");
    }
  }
  cluster->worker(1).Signal(SIGKILL);
  EXPECT_GE(step, 3u) << cluster->Json({"jobs"}).dump(1) << cluster->Logs();
  EXPECT_LT(step, std::stoull(kSteps)) << "too late to disturb anything";
  training.join();
  ASSERT_TRUE(disturbed.is_object());
  EXPECT_EQ(disturbed.at("state"), "done") << disturbed.dump(1) << cluster->Logs();
  EXPECT_EQ(disturbed.at("ranks").size(), 1u) << "all steps were done before the kill: " << disturbed.dump(1);

  for (const char* file : {"model.gguf", "encoder.gguf"}) {
    const std::string expected = Exported(*cluster, two.at("job"), file, "seer-2");
    EXPECT_GT(expected.size(), 500'000u) << expected.substr(0, 200);
    EXPECT_EQ(Exported(*cluster, one.at("job"), file, "seer-1") == expected, true) << file << " of one worker";
    EXPECT_EQ(Exported(*cluster, disturbed.at("job"), file, "seer-3") == expected, true) << file << " after a kill";
  }

  // The cluster says of a picture what one process does.
  const std::string exports =
      cluster->data_dir() + "/jobs/" + std::to_string(two.at("job").get<uint64_t>()) + "/exports/";
  const std::string picture = scenes + "/images/000000.png";
  const RunResult here = RunCommand({EnigmaBinary(), "describe", "--local", exports + "model.gguf", "--encoder",
                                     exports + "encoder.gguf", "--max-tokens", "8", "--json", picture});
  ASSERT_EQ(here.status, 0) << here.err;
  const RunResult loaded = cluster->Enigma({"load", "seer-2"});
  ASSERT_EQ(loaded.status, 0) << loaded.err << cluster->Logs();
  const nlohmann::json there = cluster->Json({"describe", "--model", "seer-2", "--max-tokens", "8", picture});
  ASSERT_FALSE(there.is_null());
  EXPECT_EQ(there.at("text"), nlohmann::json::parse(here.out).at("text"));
}

TEST(VisionTrainingTest, WhatIsWrongWithPicturesIsSaidWithFileAndLine) {
  const auto cluster = Cluster::Start({});
  ASSERT_NE(cluster, nullptr);
  const std::string scenes = WriteScenes(*cluster);
  const auto error_of = [&](const std::string& data) {
    const RunResult result = cluster->Enigma(TrainArguments(data, "bad"));
    EXPECT_NE(result.status, 0) << data;
    return result.err;
  };
  std::filesystem::resize_file(scenes + "/images/000004.png", 100);
  EXPECT_THAT(error_of(scenes), HasSubstr("captions.jsonl, line 5: images/000004.png: "));
  std::filesystem::remove(scenes + "/images/000002.png");
  EXPECT_THAT(error_of(scenes + "/captions.jsonl"), HasSubstr("captions.jsonl, line 3: there is no picture"));
  std::filesystem::create_directories(cluster->directory() + "/empty");
  EXPECT_THAT(error_of(cluster->directory() + "/empty"), HasSubstr("there is no file"));
  std::filesystem::create_directories(cluster->directory() + "/up");
  std::ofstream(cluster->directory() + "/up/captions.jsonl") << "{\"image\": \"../x.png\", \"caption\": \"x\"}\n";
  EXPECT_THAT(error_of(cluster->directory() + "/up"), HasSubstr("captions.jsonl, line 1: \"image\" is no path"));
  EXPECT_TRUE(cluster->Json({"jobs"}).at("jobs").empty());
}

}  // namespace
}  // namespace enigma::testing
