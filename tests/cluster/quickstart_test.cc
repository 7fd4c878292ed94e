// quickstart.sh as it stands, with the program that is built here: what of it needs no packages and no training.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/cluster.h"
#include "tests/support/process.h"

namespace enigma::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

RunResult Quickstart(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"bash", ENIGMA_SOURCE_DIR "/quickstart.sh"});
  return RunCommand(arguments, std::chrono::minutes(8), {"ENIGMA=" + EnigmaBinary()});
}

// Command lines of processes that name the folder.
std::vector<std::string> ProcessesOf(const std::string& folder) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "cmdline");
    std::string line(std::istreambuf_iterator<char>(in), {});
    if (line.find(folder) != std::string::npos) found.push_back(std::move(line));
  }
  return found;
}

TEST(QuickstartTest, FourModelsAnswerFourRequestsAndNothingIsLeftRunning) {
  if (RunCommand({"curl", "--version"}).status != 0) GTEST_SKIP() << "curl is not installed";
  const TemporaryDirectory directory;
  const std::string data = directory.path() + "/data";
  std::filesystem::create_directory(data);
  const RunResult run = Quickstart({"--no-train", "--no-keep", "--data-dir", data});
  ASSERT_EQ(run.status, 0) << run.err;
  const std::pair<const char*, const char*> answered[] = {
      {"a question", "chat"}, {"a coding task", "code"}, {"a sum", "math"}, {"a picture", "vision"}};
  for (const auto& [request, model] : answered) {
    EXPECT_THAT(run.err, ContainsRegex(std::string("   ") + request + ": model " + model +
                                       " on node [0-9a-f-]+, chosen by [a-z]+"));
  }
  EXPECT_THAT(run.out, HasSubstr("def reverse_words(")) << "a program";
  EXPECT_THAT(run.out, HasSubstr("85")) << "a sum";
  EXPECT_THAT(run.err, HasSubstr("How to go on:"));
  EXPECT_THAT(ProcessesOf(data), ::testing::IsEmpty());
}

TEST(QuickstartTest, WhatDoesNotGoTogetherIsRefusedAtOnce) {
  const RunResult both = Quickstart({"--no-train", ENIGMA_SOURCE_DIR "/models/math.gguf"});
  EXPECT_EQ(both.status, 2) << both.err;
  EXPECT_THAT(both.err, HasSubstr("--no-train is for no model of yours"));
  const RunResult unheard = Quickstart({"--no-train", "--prompt", "Hello"});
  EXPECT_EQ(unheard.status, 2) << unheard.err;
  EXPECT_THAT(unheard.err, HasSubstr("--prompt is for a model"));
}

}  // namespace
}  // namespace enigma::testing
