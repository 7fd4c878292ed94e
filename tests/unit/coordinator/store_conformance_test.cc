// What every Store promises, over each implementation.
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "coordinator/store/memory_store.h"
#include "coordinator/store/rocksdb_store.h"
#include "coordinator/store/schema.h"

namespace enigma::coordinator {
namespace {

class Folder {
 public:
  Folder() : path_(::testing::TempDir() + "enigma-store-" + std::to_string(SystemRandom64())) {}
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class StoreConformanceTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "memory") {
      store_ = std::make_unique<MemoryStore>();
      return;
    }
    auto opened = RocksDbStore::Open(folder_.path());
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  std::map<std::string, std::string> Scan(std::string_view prefix) {
    std::map<std::string, std::string> found;
    EXPECT_TRUE(store_
                    ->Scan(prefix,
                           [&](std::string_view key, std::string_view value) {
                             found.emplace(key, value);
                             return absl::OkStatus();
                           })
                    .ok());
    return found;
  }

  Folder folder_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreConformanceTest, GetsWhatWasPutAndNamesWhatIsNotThere) {
  ASSERT_TRUE(store_->Put("a", "1").ok());
  ASSERT_TRUE(store_->Put("a", "2").ok());
  EXPECT_EQ(*store_->Get("a"), "2");
  const auto missing = store_->Get("nowhere");
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_NE(missing.status().ToString().find("nowhere"), std::string::npos);
}

TEST_P(StoreConformanceTest, KeepsAnyBytes) {
  const std::string odd("\0\xff\n\0x", 5);
  ASSERT_TRUE(store_->Put(odd, odd).ok());
  EXPECT_EQ(*store_->Get(odd), odd);
  ASSERT_TRUE(store_->Put("empty", "").ok());
  EXPECT_EQ(*store_->Get("empty"), "");
}

TEST_P(StoreConformanceTest, DeletesAndDoesNotMindDeletingNothing) {
  ASSERT_TRUE(store_->Put("a", "1").ok());
  ASSERT_TRUE(store_->Delete("a").ok());
  EXPECT_TRUE(absl::IsNotFound(store_->Get("a").status()));
  EXPECT_TRUE(store_->Delete("a").ok());
}

TEST_P(StoreConformanceTest, AppliesABatchInOrder) {
  ASSERT_TRUE(store_->Apply({{"a", "1"}, {"b", "2"}, {"a", std::nullopt}, {"c", "3"}, {"c", "4"}}).ok());
  EXPECT_EQ(Scan(""), (std::map<std::string, std::string>{{"b", "2"}, {"c", "4"}}));
}

TEST_P(StoreConformanceTest, ScansAPrefixInByteOrder) {
  ASSERT_TRUE(store_->Apply({{"node/b", "2"}, {"node/a", "1"}, {"nodf", "x"}, {"node", "y"}, {"node/", "0"}}).ok());
  std::vector<std::string> keys;
  ASSERT_TRUE(store_
                  ->Scan("node/",
                         [&](std::string_view key, std::string_view) {
                           keys.emplace_back(key);
                           return absl::OkStatus();
                         })
                  .ok());
  EXPECT_EQ(keys, (std::vector<std::string>{"node/", "node/a", "node/b"}));
}

TEST_P(StoreConformanceTest, AVisitorsErrorEndsTheScan) {
  ASSERT_TRUE(store_->Apply({{"a", "1"}, {"b", "2"}}).ok());
  int visited = 0;
  const absl::Status ended = store_->Scan("", [&](std::string_view, std::string_view) {
    ++visited;
    return absl::DataLossError("bad");
  });
  EXPECT_TRUE(absl::IsDataLoss(ended));
  EXPECT_EQ(visited, 1);
}

INSTANTIATE_TEST_SUITE_P(All, StoreConformanceTest, ::testing::Values("memory", "rocksdb"),
                         [](const auto& parameter) { return parameter.param; });

TEST(RocksDbStoreTest, KeepsItsContentsAndRefusesASecondOpener) {
  Folder folder;
  auto first = RocksDbStore::Open(folder.path());
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE((*first)->Put("a", "1").ok());
  const auto second = RocksDbStore::Open(folder.path());
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_NE(second.status().ToString().find(folder.path()), std::string::npos);
  first->reset();
  const auto again = RocksDbStore::Open(folder.path());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*(*again)->Get("a"), "1");
}

TEST(RocksDbStoreTest, AFullDiskIsAnErrorOfTheCallAndKeepsWhatWasStored) {
  Folder folder;
  std::filesystem::create_directories(folder.path());
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "this process may not mount a small file system: " << std::strerror(errno);
  }
  {
    auto store = RocksDbStore::Open(folder.path());
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)->Apply({{"kept", "value"}}).ok());
    absl::Status status;
    for (int i = 0; i < 1000 && status.ok(); ++i) {
      status = (*store)->Apply({{"filler" + std::to_string(i), std::string(16 << 10, 'x')}});
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("disk is full"));
    const auto kept = (*store)->Get("kept");
    ASSERT_TRUE(kept.ok()) << kept.status();
    EXPECT_EQ(*kept, "value");
  }
  ::umount2(folder.path().c_str(), MNT_DETACH);
}

TEST(RocksDbStoreTest, AFolderThatCannotBeMadeIsASentence) {
  const auto opened = RocksDbStore::Open("/proc/no-such-place/state");
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.status().ToString().find("/proc/no-such-place/state"), std::string::npos);
}

std::vector<Migration> TwoSteps() {
  return {{2,
           [](const Store&) -> absl::StatusOr<std::vector<Store::Write>> {
             return std::vector<Store::Write>{{"new", "by-2"}, {"old", std::nullopt}};
           }},
          {3, [](const Store& store) -> absl::StatusOr<std::vector<Store::Write>> {
             auto before = store.Get("new");
             if (!before.ok()) return before.status();
             return std::vector<Store::Write>{{"new", *before + "-and-3"}};
           }}};
}

TEST(SchemaTest, MigratesStepByStepAndOnlyOnce) {
  MemoryStore store;
  ASSERT_TRUE(store.Apply({{kSchemaKey, "1"}, {"old", "x"}}).ok());
  ASSERT_TRUE(MigrateStore(store, TwoSteps()).ok());
  EXPECT_EQ(*store.Get(kSchemaKey), "3");
  EXPECT_EQ(*store.Get("new"), "by-2-and-3");
  EXPECT_FALSE(store.Get("old").ok());
  ASSERT_TRUE(MigrateStore(store, TwoSteps()).ok());
  EXPECT_EQ(*store.Get("new"), "by-2-and-3");
}

TEST(SchemaTest, AFailedStepLeavesTheVersionBeforeIt) {
  MemoryStore store;
  std::vector<Migration> steps = TwoSteps();
  steps[1].writes = [](const Store&) -> absl::StatusOr<std::vector<Store::Write>> { return absl::InternalError("no"); };
  EXPECT_FALSE(MigrateStore(store, steps).ok());
  EXPECT_EQ(*store.Get(kSchemaKey), "2");
}

TEST(SchemaTest, RefusesANewerSchemaAndADamagedVersion) {
  MemoryStore store;
  ASSERT_TRUE(store.Put(kSchemaKey, "9").ok());
  const absl::Status newer = MigrateStore(store, Migrations());
  EXPECT_TRUE(absl::IsFailedPrecondition(newer));
  EXPECT_NE(newer.ToString().find("version 9"), std::string::npos);
  ASSERT_TRUE(store.Put(kSchemaKey, "nine").ok());
  const absl::Status damaged = MigrateStore(store, Migrations());
  EXPECT_TRUE(absl::IsDataLoss(damaged));
  EXPECT_NE(damaged.ToString().find(kSchemaKey), std::string::npos);
}

}  // namespace
}  // namespace enigma::coordinator
