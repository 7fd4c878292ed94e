#include "cli/output/unfinished_folder.h"

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::cli {
namespace {

namespace fs = std::filesystem;

class UnfinishedFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  // Ends by the signal that it gives itself.
  void BeInterrupted() const {
    const auto unfinished = UnfinishedFolder::MakeBeside(folder_ + "/model.gguf");
    std::ofstream((*unfinished)->PathOf("fetched")) << "half of it";
    ::kill(::getpid(), SIGINT);
    absl::SleepFor(absl::Minutes(1));
  }

  // The same in a process that is started anew for what ends it.
  const std::string folder_ = ::testing::TempDir() + "unfinished_folder_test";
};

TEST_F(UnfinishedFolderTest, GoesWithItsObject) {
  const std::string path = folder_ + "/model.gguf";
  {
    const auto unfinished = UnfinishedFolder::MakeBeside(path);
    ASSERT_TRUE(unfinished.ok()) << unfinished.status();
    std::ofstream((*unfinished)->PathOf("fetched")) << "all of it";
    fs::rename((*unfinished)->PathOf("fetched"), path);
  }
  EXPECT_TRUE(fs::exists(path));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
  EXPECT_THAT(std::string(UnfinishedFolder::MakeBeside(folder_ + "/no/m.gguf").status().message()),
              ::testing::HasSubstr("/no/m.gguf cannot be made: No such file or directory"));
}

using UnfinishedFolderDeathTest = UnfinishedFolderTest;

TEST_F(UnfinishedFolderDeathTest, GoesWhenASignalEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(BeInterrupted(), ::testing::ExitedWithCode(130), "");
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace enigma::cli
