// `enigma data scenes`.
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/process.h"
#include "tests/support/test_data.h"
#include "tests/unit/cli/run_enigma.h"

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;

TEST(DataScenesTest, TheSameSeedGivesTheSameFiles) {
  const testing::TemporaryDirectory folder;
  for (const std::string name : {"a", "b"}) {
    const Outcome outcome = RunEnigma({"data", "scenes", "--out", folder.path() + "/" + name, "--count", "12", "--seed",
                                       "3", "--size", "32", "--json"});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(nlohmann::json::parse(outcome.out).at("count"), 12);
  }
  for (const char* file : {"captions.jsonl", "images/000000.png", "images/000011.png"}) {
    const std::string bytes = testing::ReadFileOrDie(folder.path() + "/a/" + file);
    EXPECT_EQ(bytes, testing::ReadFileOrDie(folder.path() + "/b/" + file)) << file;
    EXPECT_GT(bytes.size(), 100U);
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/a/images/000012.png"));
  const Outcome again = RunEnigma({"data", "scenes", "--out", folder.path() + "/a", "--count", "1"});
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.err, HasSubstr("name a folder that is new or empty"));
}

TEST(DataScenesTest, AFolderThatCannotBeMadeIsSaid) {
  const Outcome outcome = RunEnigma({"data", "scenes", "--out", "/proc/nothing/here", "--count", "1"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("/proc/nothing/here cannot be made"));
}

}  // namespace
}  // namespace enigma::cli
