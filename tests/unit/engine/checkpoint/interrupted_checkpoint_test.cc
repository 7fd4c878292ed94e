// A checkpoint that does not get to its end: the process is killed, a call of the system fails, or the disk is full,
// before each of its steps in turn.

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/checkpoint/written_checkpoint.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using testing::BytesOf;
using testing::ContentOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::OpenFolder;
using testing::StepsIn;
using testing::TemporaryFolder;
using testing::WriteCheckpoint;

// What is done in the folder while step 1 is there and whole.
using Work = std::function<absl::Status(CheckpointFolder&)>;

absl::Status Write(CheckpointFolder& folder) { return WriteCheckpoint(folder, 2); }

// Step 1 is there, another may be, and what is listed is whole.
void ExpectWhole(const std::string& path, const std::string& when) {
  const auto folder = OpenFolder(path);
  ASSERT_NE(folder, nullptr) << when;
  const auto list = folder->List();
  ASSERT_TRUE(list.ok() && !list->empty()) << when;
  EXPECT_EQ(list->front().step, 1U) << when;
  for (const ListedCheckpoint& listed : *list) {
    EXPECT_TRUE(folder->Read(listed.step, CheckpointCheck::kHashes).ok()) << when;
    EXPECT_EQ(BytesOf(folder->FilePath(listed.step, "state")), ContentOf(listed.step, 1000)) << when;
  }
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    EXPECT_THAT(entry.path().filename().string(), ::testing::AnyOf("step-000000001", "step-000000002")) << when;
  }
  // And the next one can be written.
  const absl::Status next = WriteCheckpoint(*folder, 2);
  EXPECT_TRUE(next.ok() || absl::IsAlreadyExists(next)) << when << ": " << next;
}

std::unique_ptr<TemporaryFolder> FolderWithOne() {
  auto temporary = std::make_unique<TemporaryFolder>();
  std::filesystem::remove_all(temporary->File("c"));
  const auto folder = OpenFolder(temporary->File("c"));
  EXPECT_TRUE(WriteCheckpoint(*folder, 1).ok());
  return temporary;
}

// Does `work` in a process of its own that is gone, without a destructor run, before change number `last`. Whether it
// got to its end.
bool KilledBefore(int last, const std::string& path, const Work& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    int count = 0;
    const auto folder = OpenFolder(path, [&](const std::string&) {
      if (count++ == last) ::_exit(1);
      return absl::OkStatus();
    });
    ::_exit(folder != nullptr && work(*folder).ok() ? 0 : 2);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 2);
  return WEXITSTATUS(status) == 0;
}

TEST(InterruptedCheckpointTest, AKillBeforeAnyChangeLosesNothing) {
  int changes = 0;
  for (bool whole = false; !whole; ++changes) {
    const auto temporary = FolderWithOne();
    whole = KilledBefore(changes, temporary->File("c"), Write);
    ExpectWhole(temporary->File("c"), absl::StrCat("killed before change ", changes));
  }
  EXPECT_EQ(changes, 15);  // 14 changes, and once none was left to be killed before
}

TEST(InterruptedCheckpointTest, AKillWhilePruningLosesNothing) {
  const Work prune = [](CheckpointFolder& folder) {
    return folder.Prune({.keep_newest = 1, .keep_best = false}).status();
  };
  for (int last = 0; last < 4; ++last) {
    const auto temporary = FolderWithOne();
    const std::string path = temporary->File("c");
    ASSERT_TRUE(WriteCheckpoint(*OpenFolder(path), 2).ok());
    EXPECT_EQ(KilledBefore(last, path, prune), last >= 2);
    const auto folder = OpenFolder(path);
    EXPECT_EQ(StepsIn(*folder), last == 0 ? (std::vector<uint64_t>{1, 2}) : (std::vector<uint64_t>{2}));
    EXPECT_TRUE(folder->Read(2, CheckpointCheck::kHashes).ok());
  }
}

TEST(InterruptedCheckpointTest, AnErrorAtAnyChangeLosesNothing) {
  int changes = 0;
  for (bool whole = false; !whole; ++changes) {
    const auto temporary = FolderWithOne();
    int count = 0;
    const auto folder = OpenFolder(temporary->File("c"), [&](const std::string& change) {
      return count++ == changes ? absl::InternalError(change) : absl::OkStatus();
    });
    const absl::Status status = Write(*folder);
    whole = status.ok();
    EXPECT_EQ(status.code(), whole ? absl::StatusCode::kOk : absl::StatusCode::kInternal);
    // The writer has gone and cleaned up; only the last flush comes after the rename.
    const bool renamed = whole || status.message() == "flush the folder of all";
    EXPECT_EQ(StepsIn(*folder).size(), renamed ? 2U : 1U) << status;
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(temporary->File("c")), {}), renamed ? 2 : 1);
    ExpectWhole(temporary->File("c"), absl::StrCat("error at change ", changes));
  }
}

// A limit on file sizes stands for a disk that fills while the file is written.
TEST(InterruptedCheckpointTest, AFailedWriteNamesPathAndBytes) {
  const auto temporary = FolderWithOne();
  const auto folder = OpenFolder(temporary->File("c"));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = WriteCheckpoint(*folder, 2, {}, 10000);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("step-000000002.partial/state: cannot write 904 bytes at 4096"));
  EXPECT_THAT(StepsIn(*folder), ElementsAre(1));
  ExpectWhole(temporary->File("c"), "after a failed write");
}

TEST(InterruptedCheckpointTest, AFullDiskIsNamedAndLosesNothing) {
  const TemporaryFolder temporary;
  const std::string disk = temporary.File("disk");
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=256k") != 0) GTEST_SKIP() << "a small tmpfs cannot be mounted";
  {
    const auto folder = OpenFolder(disk + "/c");
    EXPECT_TRUE(WriteCheckpoint(*folder, 1).ok());
    const absl::Status full = WriteCheckpoint(*folder, 2, {}, 1 << 20);
    EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(full.message()), HasSubstr("step-000000002.partial/state: cannot write "));
    EXPECT_THAT(std::string(full.message()), HasSubstr(" 0 bytes are free: the disk is full"));
    const absl::Status expected = folder->Begin(2, 1 << 20).status();
    EXPECT_EQ(expected.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(expected.message()), HasSubstr("1048576 bytes are needed, "));
    EXPECT_THAT(StepsIn(*folder), ElementsAre(1));
  }
  ExpectWhole(disk + "/c", "after a full disk");
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

}  // namespace
}  // namespace enigma::engine
