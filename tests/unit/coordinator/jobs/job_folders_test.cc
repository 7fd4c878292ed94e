#include "coordinator/jobs/job_folders.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/jobs/job_tokenizer.h"
#include "coordinator/jobs/received_file.h"
#include "engine/checkpoint/checkpoint_writer.h"
#include "tests/support/process.h"

namespace enigma::coordinator {
namespace {

using ::testing::HasSubstr;

std::string HashOf(std::string_view text) {
  const engine::Sha256 hash = engine::Sha256Of(text);
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

class JobFoldersTest : public ::testing::Test {
 protected:
  void StoreCheckpoint(uint64_t job, uint64_t step, const std::string& state) {
    const auto folder = folders_.Checkpoints(job);
    ASSERT_TRUE(folder.ok()) << folder.status();
    auto writer = (*folder)->Begin(step);
    ASSERT_TRUE(writer.ok()) << writer.status();
    const auto* bytes = reinterpret_cast<const uint8_t*>(state.data());
    ASSERT_TRUE((*writer)->Append(kStateFile, {bytes, state.size()}).ok());
    ASSERT_TRUE((*writer)->Commit({}).ok());
  }

  enigma::testing::TemporaryDirectory directory_;
  JobFolders folders_{directory_.path() + "/jobs"};
};

TEST_F(JobFoldersTest, WhatNoJobOwnsIsRemoved) {
  for (const uint64_t job : {1, 2, 3}) ASSERT_TRUE(folders_.Create(job).ok());
  std::ofstream(directory_.path() + "/jobs/notes.txt") << "of somebody else";
  ASSERT_TRUE(folders_.RemoveAllBut({2}).ok());
  EXPECT_FALSE(std::filesystem::exists(folders_.PathOf(1)));
  EXPECT_TRUE(std::filesystem::exists(folders_.IncomingPath(2)));
  EXPECT_TRUE(std::filesystem::exists(directory_.path() + "/jobs/notes.txt"));
  ASSERT_TRUE(folders_.Remove(2).ok());
  EXPECT_FALSE(std::filesystem::exists(folders_.PathOf(2)));
}

TEST_F(JobFoldersTest, NamesFromOutsideReachNothingElse) {
  ASSERT_TRUE(folders_.Create(1).ok());
  for (const char* name :
       {"", "..", "../1/tokens.bin", "/etc/passwd", "checkpoint-", "checkpoint-x", "checkpoint--1"}) {
    EXPECT_TRUE(absl::IsNotFound(folders_.FindFile(1, name).status())) << name;
  }
  EXPECT_EQ(*folders_.FindFile(1, kTokenSetFile), folders_.TokenSetPath(1));
  for (const char* kind : {"", "../gguf", "checkpoint"}) EXPECT_FALSE(folders_.ExportPath(1, kind).ok()) << kind;
  EXPECT_THAT(*folders_.ExportPath(1, "gguf"), HasSubstr("/exports/model.gguf"));
  EXPECT_THAT(*folders_.ExportPath(1, "adapter"), HasSubstr("/exports/adapter.gguf"));
  EXPECT_THAT(*folders_.ExportPath(1, "encoder"), HasSubstr("/exports/encoder.gguf"));
  EXPECT_EQ(*folders_.FindFile(1, kPictureSetFile), folders_.PictureSetPath(1));
}

TEST_F(JobFoldersTest, TheNewestCheckpointIsTheNewestThatIsWhole) {
  ASSERT_TRUE(folders_.Create(1).ok());
  EXPECT_EQ(folders_.NewestCheckpoint(1)->step, 0u);
  StoreCheckpoint(1, 10, "state 10");
  StoreCheckpoint(1, 20, "state 20");
  auto newest = folders_.NewestCheckpoint(1);
  ASSERT_TRUE(newest.ok());
  EXPECT_EQ(newest->step, 20u);
  EXPECT_EQ(newest->file.bytes, 8u);
  EXPECT_EQ(newest->file.sha256, HashOf("state 20"));
  // Of the same length and another content: only the hash tells, to a process that has not looked yet.
  const std::string path = *folders_.FindFile(1, CheckpointFileName(20));
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::ofstream(path) << "stale 20";
  JobFolders again(directory_.path() + "/jobs");
  newest = again.NewestCheckpoint(1);
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(newest->step, 10u);
}

TEST_F(JobFoldersTest, AFileCountsOnceItIsWhole) {
  const std::string path = directory_.path() + "/file";
  {
    auto file = ReceivedFile::Create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append("half").ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
  for (const bool right : {false, true}) {
    auto file = ReceivedFile::Create(path);
    ASSERT_TRUE((*file)->Append("who").ok());
    ASSERT_TRUE((*file)->Append("le").ok());
    EXPECT_EQ((*file)->Commit(5, HashOf(right ? "whole" : "other")).ok(), right);
  }
  EXPECT_EQ(DescribeFile(path, "f")->sha256, HashOf("whole"));
  EXPECT_EQ(DescribeFile(path, "f")->bytes, 5u);
  EXPECT_FALSE(DescribeFile(path + "x", "f").ok());
}

TEST_F(JobFoldersTest, ATokenizerLearnsWhatTheDocumentsWillSay) {
  const std::string path = directory_.path() + "/tokenizer.gguf";
  const std::string chats =
      R"({"messages": [{"role": "user", "content": "hello hello hello"}, {"role": "assistant", "content": "hello hello"}]})"
      "\n";
  const auto go_on = [](double) { return true; };
  ASSERT_TRUE(TrainTokenizer({{"c.jsonl", chats}}, {}, {.vocabulary = 300, .name = "m"}, path, go_on).ok());
  auto opened = OpenJobTokenizer(path);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(opened->chat.has_value());  // conversations need one
  EXPECT_EQ(opened->tokenizer->Encode("hello", {}).size(), 1u);
  ASSERT_TRUE(TrainTokenizer({{"t.txt", "hello hello hello"}}, {}, {.vocabulary = 300, .name = "m"}, path, go_on).ok());
  EXPECT_FALSE(OpenJobTokenizer(path)->chat.has_value());
  const absl::Status bad = TrainTokenizer({{"c.jsonl", "{}\n"}}, {}, {.vocabulary = 300, .name = "m"}, path, go_on);
  EXPECT_TRUE(absl::IsInvalidArgument(bad));
  EXPECT_THAT(std::string(bad.message()), HasSubstr("c.jsonl:1"));
  EXPECT_TRUE(absl::IsCancelled(
      TrainTokenizer({{"t.txt", "hello"}}, {}, {.vocabulary = 300, .name = "m"}, path, [](double) { return false; })));
  // Another template may come with it.
  ASSERT_TRUE(SetChatTemplate(path, "{{ messages[0].content }}").ok());
  engine::ChatRequest request;
  request.messages = {{{"role", "user"}, {"content", "hello"}}};
  EXPECT_EQ(*OpenJobTokenizer(path)->chat->Render(request), "hello");
  EXPECT_EQ(OpenJobTokenizer(path)->tokenizer->vocab_size(), opened->tokenizer->vocab_size());
  // A copy of it is the same vocabulary.
  const auto file = engine::GgufFile::Open(path);
  ASSERT_TRUE(CopyTokenizer((*file)->metadata(), "copy", path + ".copy").ok());
  EXPECT_EQ(OpenJobTokenizer(path + ".copy")->tokenizer->vocab_size(), opened->tokenizer->vocab_size());
}

}  // namespace
}  // namespace enigma::coordinator
