#include "engine/checkpoint/checkpoint_folder.h"

#include <filesystem>
#include <fstream>

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/message_of.h"
#include "tests/unit/engine/checkpoint/written_checkpoint.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using testing::BytesOf;
using testing::ContentOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::OpenFolder;
using testing::StepsIn;
using testing::TemporaryFolder;
using testing::WriteCheckpoint;

void FlipBit(const std::string& path, size_t at) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(at));
  const char was = static_cast<char>(file.get());
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(was ^ 1));
}

TEST(CheckpointFolderTest, WhatIsCommittedIsThere) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("job/checkpoints"));
  ASSERT_NE(folder, nullptr);
  auto writer = folder->Begin(100, 2000);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("state", ContentOf(100, 1000)).ok());
  ASSERT_TRUE((*writer)->Append("state", ContentOf(7, 500)).ok());
  ASSERT_TRUE((*writer)->Append("empty", {}).ok());
  EXPECT_EQ((*writer)->bytes(), 1500U);
  EXPECT_THAT(StepsIn(*folder), IsEmpty());
  const absl::Time now = absl::Now();
  const auto committed = (*writer)->Commit({.validation_loss = 1.5, .made_by = "a node", .time = now});
  ASSERT_TRUE(committed.ok()) << committed.status();

  for (const CheckpointCheck check : {CheckpointCheck::kLengths, CheckpointCheck::kHashes}) {
    const auto newest = folder->NewestValid(check);
    ASSERT_TRUE(newest.ok()) << newest.status();
    EXPECT_EQ(newest->manifest.step, 100U);
    EXPECT_EQ(newest->manifest.files, committed->files);
    EXPECT_EQ(newest->manifest.validation_loss, 1.5);
    EXPECT_EQ(newest->manifest.made_by, "a node");
    EXPECT_EQ(newest->manifest.time, absl::FromUnixMillis(absl::ToUnixMillis(now)));
    EXPECT_THAT(newest->skipped, IsEmpty());
  }
  std::vector<uint8_t> content = ContentOf(100, 1000);
  for (const uint8_t byte : ContentOf(7, 500)) content.push_back(byte);
  EXPECT_EQ(BytesOf(folder->FilePath(100, "state")), content);
  EXPECT_EQ(BytesOf(temporary.File("job/checkpoints/step-000000100/state")), content);
  EXPECT_FALSE((*writer)->Append("state", {}).ok());
  EXPECT_FALSE((*writer)->Commit({}).ok());
}

TEST(CheckpointFolderTest, StepsAreListedByNumberAndOthersNot) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  for (const uint64_t step : {uint64_t{9}, uint64_t{100}, uint64_t{12'345'678'901}, uint64_t{999'999'999}}) {
    ASSERT_TRUE(WriteCheckpoint(*folder, step).ok());
  }
  for (const char* other : {"step-7", "step-00000000x", "step-000000007.old", "notes"}) {
    std::filesystem::create_directory(temporary.File("c") + "/" + other);
  }
  EXPECT_THAT(StepsIn(*folder), ElementsAre(9, 100, 999'999'999, 12'345'678'901));
  EXPECT_EQ(folder->NewestValid(CheckpointCheck::kLengths)->manifest.step, 12'345'678'901U);
}

TEST(CheckpointFolderTest, AnEmptyFolderHasNone) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  EXPECT_EQ(folder->NewestValid(CheckpointCheck::kLengths).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(folder->Read(1, CheckpointCheck::kLengths).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(folder->Prune({}).value(), IsEmpty());
}

TEST(CheckpointFolderTest, WhatIsNotCommittedLeavesNothing) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  {
    auto writer = folder->Begin(5);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Append("state", ContentOf(1, 10)).ok());
    EXPECT_EQ(folder->Begin(6).status().code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_TRUE(std::filesystem::is_empty(temporary.File("c")));
  EXPECT_TRUE(folder->Begin(6).ok());
}

TEST(CheckpointFolderTest, WhatAnotherProcessLeftUnfinishedIsRemoved) {
  const TemporaryFolder temporary;
  const std::string left = temporary.File("c") + "/step-000000008.partial";
  std::filesystem::create_directories(left);
  std::ofstream(left + "/state") << "half";
  auto folder = OpenFolder(temporary.File("c"));
  EXPECT_FALSE(std::filesystem::exists(left));
  std::filesystem::create_directories(left + "/deeper");
  EXPECT_THAT(StepsIn(*folder), IsEmpty());
  ASSERT_TRUE(WriteCheckpoint(*folder, 8).ok());
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_THAT(StepsIn(*folder), ElementsAre(8));
}

TEST(CheckpointFolderTest, ADamagedNewestIsSkippedWithAReason) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  for (const uint64_t step : {1, 2, 3, 4, 5}) ASSERT_TRUE(WriteCheckpoint(*folder, step).ok());
  std::filesystem::resize_file(folder->FilePath(5, "state"), 999);
  std::filesystem::remove(folder->FilePath(4, "notes"));
  std::filesystem::resize_file(folder->FilePath(3, "manifest.json"), 20);
  const auto newest = folder->NewestValid(CheckpointCheck::kLengths);
  ASSERT_TRUE(newest.ok()) << newest.status();
  EXPECT_EQ(newest->manifest.step, 2U);
  EXPECT_THAT(newest->skipped,
              ElementsAre(HasSubstr("step-000000005/state: has 999 bytes, the manifest says 1000"),
                          HasSubstr("step-000000004/notes: the file is missing"),
                          HasSubstr("step-000000003/manifest.json: checkpoint manifest: text: is not a JSON object")));

  FlipBit(folder->FilePath(2, "state"), 500);
  EXPECT_EQ(folder->NewestValid(CheckpointCheck::kLengths)->manifest.step, 2U);
  const auto hashed = folder->NewestValid(CheckpointCheck::kHashes);
  ASSERT_TRUE(hashed.ok()) << hashed.status();
  EXPECT_EQ(hashed->manifest.step, 1U);
  EXPECT_THAT(hashed->skipped.back(), HasSubstr("step-000000002/state: its content is not what was written"));
  FlipBit(folder->FilePath(1, "notes"), 0);
  const absl::Status none = folder->NewestValid(CheckpointCheck::kHashes).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(none), HasSubstr("step-000000001/notes: its content"));
}

TEST(CheckpointFolderTest, AManifestOfAnotherStepIsNotBelieved) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  ASSERT_TRUE(WriteCheckpoint(*folder, 1).ok());
  std::filesystem::rename(temporary.File("c/step-000000001"), temporary.File("c/step-000000002"));
  EXPECT_THAT(MessageOf(folder->Read(2, CheckpointCheck::kLengths).status()), HasSubstr("is that of step 1"));
}

TEST(CheckpointFolderTest, AWholeOneIsNotReplacedButADamagedOneIs) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  ASSERT_TRUE(WriteCheckpoint(*folder, 1).ok());
  EXPECT_EQ(WriteCheckpoint(*folder, 1).code(), absl::StatusCode::kAlreadyExists);
  FlipBit(folder->FilePath(1, "state"), 3);
  {
    auto writer = folder->Begin(1);
    ASSERT_TRUE(writer.ok()) << writer.status();
  }
  EXPECT_THAT(StepsIn(*folder), ElementsAre(1));  // until there is something better
  ASSERT_TRUE(WriteCheckpoint(*folder, 1).ok());
  EXPECT_TRUE(folder->NewestValid(CheckpointCheck::kHashes)->skipped.empty());
}

TEST(CheckpointFolderTest, WhatTheSenderCountedIsHeldAgainstWhatCame) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  const auto commit = [&](std::vector<CheckpointFile> said) {
    auto writer = folder->Begin(1);
    EXPECT_TRUE((*writer)->Append("a", ContentOf(0, 1)).ok());
    EXPECT_TRUE((*writer)->Append("b", {}).ok());
    return MessageOf((*writer)->Commit({.files = std::move(said)}).status());
  };
  const CheckpointFile a = {"a", 1, Sha256Of(std::string_view("\0", 1))};
  const CheckpointFile b = {"b", 0, Sha256Of("")};
  EXPECT_THAT(commit({a}), HasSubstr("file 'b' was written, but is not among"));
  EXPECT_THAT(commit({a, b, {"c", 0, b.hash}}), HasSubstr("file 'c' has not been written"));
  EXPECT_THAT(commit({a, {"b", 1, b.hash}}), HasSubstr("file 'b' has 0 bytes, the sender says 1"));
  EXPECT_THAT(commit({{"a", 1, b.hash}, b}), HasSubstr("file 'a' has arrived with another content"));
  EXPECT_THAT(commit({a, b, b}), HasSubstr("lists a file twice"));
  EXPECT_TRUE(std::filesystem::is_empty(temporary.File("c")));
  EXPECT_EQ(commit({b, a}), "");
}

TEST(CheckpointFolderTest, FilesComeOneAfterAnotherUnderNamesThatAreSafe) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  {
    auto writer = folder->Begin(1);
    ASSERT_TRUE((*writer)->Append("a", {}).ok());
    ASSERT_TRUE((*writer)->Append("b", {}).ok());
    EXPECT_THAT(MessageOf((*writer)->Append("a", {})), HasSubstr("file 'a' is complete"));
    EXPECT_THAT(MessageOf((*writer)->Commit({}).status()), HasSubstr("takes nothing more"));
  }
  for (const char* name : {"../x", "/etc/x", "manifest.json"}) {
    auto writer = folder->Begin(1);
    EXPECT_EQ((*writer)->Append(name, {}).code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(std::filesystem::is_empty(temporary.File("c")));
}

TEST(CheckpointFolderTest, PruningKeepsTheNewestAndTheBest) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  const double losses[] = {5, 3, 1, 2, 1.5, 4};
  for (uint64_t step = 1; step <= 6; ++step) ASSERT_TRUE(WriteCheckpoint(*folder, step, losses[step - 1]).ok());
  ASSERT_TRUE(WriteCheckpoint(*folder, 7).ok());  // has no loss
  EXPECT_THAT(folder->Prune({.keep_newest = 3}).value(), ElementsAre(1, 2, 4));
  EXPECT_THAT(StepsIn(*folder), ElementsAre(3, 5, 6, 7));
  EXPECT_THAT(folder->Prune({.keep_newest = 3}).value(), IsEmpty());
  EXPECT_THAT(folder->Prune({.keep_newest = 0, .keep_best = false}).value(), ElementsAre(3, 5, 6));
  EXPECT_THAT(StepsIn(*folder), ElementsAre(7));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(temporary.File("c")), {}), 1);
}

TEST(CheckpointFolderTest, WhatIsNamedStaysAndWhatIsNewerGoes) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  for (uint64_t step = 1; step <= 5; ++step) ASSERT_TRUE(WriteCheckpoint(*folder, step).ok());
  EXPECT_THAT(folder->Prune({.keep_newest = 1, .keep_best = false, .keep_steps = {2, 9}}).value(),
              ElementsAre(1, 3, 4));
  EXPECT_THAT(StepsIn(*folder), ElementsAre(2, 5));
  ASSERT_TRUE(folder->RemoveAfter(2).ok());
  EXPECT_THAT(StepsIn(*folder), ElementsAre(2));
  EXPECT_FALSE(folder->writing());
}

TEST(CheckpointFolderTest, PruningNeverRemovesTheNewestValidOne) {
  const TemporaryFolder temporary;
  {
    const auto folder = OpenFolder(temporary.File("c"));
    for (const uint64_t step : {1, 2, 3, 4, 5}) ASSERT_TRUE(WriteCheckpoint(*folder, step, 1.0 / double(step)).ok());
    FlipBit(folder->FilePath(4, "state"), 8);
    std::filesystem::resize_file(folder->FilePath(5, "state"), 0);
    std::filesystem::resize_file(folder->FilePath(1, "state"), 0);
  }
  const auto folder = OpenFolder(temporary.File("c"));  // another process: trusts nothing
  EXPECT_THAT(folder->Prune({.keep_newest = 1, .keep_best = false}).value(), ElementsAre(1, 2));
  EXPECT_THAT(StepsIn(*folder), ElementsAre(3, 4, 5));
  EXPECT_EQ(folder->NewestValid(CheckpointCheck::kHashes)->manifest.step, 3U);
}

TEST(CheckpointFolderTest, PruningLeavesWhatALaterVersionWrote) {
  const TemporaryFolder temporary;
  const auto folder = OpenFolder(temporary.File("c"));
  for (const uint64_t step : {1, 2}) ASSERT_TRUE(WriteCheckpoint(*folder, step).ok());
  std::ofstream(folder->FilePath(1, "manifest.json")) << R"({"format": 2})";
  EXPECT_THAT(folder->Prune({.keep_newest = 1}).value(), IsEmpty());
  EXPECT_EQ(folder->Begin(1).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(CheckpointFolderTest, NamesAPathThatCannotBeAFolder) {
  const TemporaryFolder temporary;
  std::ofstream(temporary.File("file")) << "x";
  EXPECT_THAT(MessageOf(CheckpointFolder::Open({.path = temporary.File("file/c")}).status()), HasSubstr("file/c"));
}

}  // namespace
}  // namespace enigma::engine
