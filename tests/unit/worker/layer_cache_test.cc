#include "worker/layer_cache/layer_cache.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/layer_cache/piece_fetcher.h"

namespace enigma::worker {
namespace {

using ::testing::HasSubstr;

std::string Content(size_t bytes, uint64_t salt) {
  std::string content(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>((i * 2654435761U + salt * 97) >> 7);
  return content;
}

engine::Blob BlobOf(const std::string& content) {
  engine::Blob blob;
  blob.kind = engine::BlobKind::kLayer;
  blob.hash = engine::Sha256Of(content);
  blob.bytes = content.size();
  return blob;
}

// Serves from memory, and misbehaves as told.
class FakeSource : public PieceSource {
 public:
  explicit FakeSource(std::string name) : name_(std::move(name)) {}
  void Add(const std::string& content) { pieces_[engine::Sha256Of(content)] = content; }
  void AddCorrupt(const std::string& content) {
    pieces_[engine::Sha256Of(content)] = content;
    pieces_[engine::Sha256Of(content)][content.size() / 3] ^= 1;
  }
  size_t break_after = SIZE_MAX;  // bytes of one Read
  absl::Notification* wait_for = nullptr;
  std::vector<uint64_t> offsets;  // of the reads so far

  std::string name() const override { return name_; }
  absl::StatusOr<std::vector<bool>> Has(const std::vector<engine::Sha256>& hashes) override {
    std::vector<bool> has;
    for (const engine::Sha256& hash : hashes) has.push_back(pieces_.contains(hash));
    return has;
  }
  absl::Status Read(const engine::Sha256& hash, uint64_t offset,
                    absl::FunctionRef<absl::Status(std::string_view)> sink) override {
    offsets.push_back(offset);
    if (wait_for != nullptr) wait_for->WaitForNotification();
    std::string_view rest = std::string_view(pieces_.at(hash)).substr(offset);
    for (size_t sent = 0; !rest.empty();) {
      if (sent >= break_after) return absl::UnavailableError("the fake broke off");
      const std::string_view part = rest.substr(0, 1000);
      if (absl::Status taken = sink(part); !taken.ok()) return taken;
      rest.remove_prefix(part.size());
      sent += part.size();
    }
    return absl::OkStatus();
  }

 private:
  const std::string name_;
  std::map<engine::Sha256, std::string> pieces_;
};

class LayerCacheTest : public ::testing::Test {
 protected:
  LayerCacheTest() : directory_(::testing::TempDir() + "/layers_" + std::to_string(::getpid())) {
    std::filesystem::remove_all(directory_);
    cache_ = *LayerCache::Create({.directory = directory_, .free_bytes = {}});
    fetcher_ = std::make_unique<PieceFetcher>(*cache_, metrics_);
  }
  ~LayerCacheTest() override { std::filesystem::remove_all(directory_); }

  absl::Status Fetch(const std::vector<engine::Blob>& blobs) {
    std::vector<const engine::Blob*> pointers;
    for (const engine::Blob& blob : blobs) pointers.push_back(&blob);
    return fetcher_->Fetch(pointers, sources_, progress_);
  }
  FakeSource& AddSource(const std::string& name) {
    sources_.push_back(std::make_unique<FakeSource>(name));
    return static_cast<FakeSource&>(*sources_.back());
  }
  std::string Stored(const engine::Blob& blob) {
    std::ifstream in(cache_->PathOf(blob.hash), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  size_t FilesInDirectory() {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory_), {}));
  }

  const std::string directory_;
  Metrics metrics_;
  std::unique_ptr<LayerCache> cache_;
  std::unique_ptr<PieceFetcher> fetcher_;
  std::vector<std::unique_ptr<PieceSource>> sources_;
  FetchProgress progress_;
};

TEST_F(LayerCacheTest, FetchesOnceAndThenMovesNoByte) {
  const std::string content = Content(10'000, 1);
  AddSource("a").Add(content);
  ASSERT_TRUE(Fetch({BlobOf(content)}).ok());
  EXPECT_EQ(Stored(BlobOf(content)), content);
  EXPECT_EQ(progress_.bytes_fetched, 10'000U);
  EXPECT_EQ(FilesInDirectory(), 1U);

  FetchProgress second;
  const engine::Blob blob = BlobOf(content);
  ASSERT_TRUE(fetcher_->Fetch({&blob}, {}, second).ok());
  EXPECT_EQ(second.bytes_fetched, 0U);
  EXPECT_EQ(second.bytes_present, 10'000U);
}

TEST_F(LayerCacheTest, GoesOnWithTheNextSourceWhereOneBrokeOff) {
  const std::string content = Content(10'000, 2);
  FakeSource& first = AddSource("first");
  first.Add(content);
  first.break_after = 4'000;
  FakeSource& second = AddSource("second");
  second.Add(content);
  ASSERT_TRUE(Fetch({BlobOf(content)}).ok());
  EXPECT_EQ(Stored(BlobOf(content)), content);
  EXPECT_EQ(second.offsets, std::vector<uint64_t>{4'000});
  EXPECT_EQ(progress_.bytes_fetched, 10'000U);
}

TEST_F(LayerCacheTest, ResumesAPartLeftByAnEarlierProcess) {
  const std::string content = Content(10'000, 3);
  const engine::Blob blob = BlobOf(content);
  std::ofstream(cache_->PathOf(blob.hash) + ".part", std::ios::binary) << content.substr(0, 7'500);
  FakeSource& source = AddSource("a");
  source.Add(content);
  ASSERT_TRUE(Fetch({blob}).ok());
  EXPECT_EQ(source.offsets, std::vector<uint64_t>{7'500});
  EXPECT_EQ(progress_.bytes_present, 7'500U);
  EXPECT_EQ(progress_.bytes_fetched, 2'500U);
  EXPECT_EQ(Stored(blob), content);
}

TEST_F(LayerCacheTest, ACorruptPieceComesAnewFromAnotherSource) {
  const std::string content = Content(10'000, 4);
  AddSource("liar").AddCorrupt(content);
  FakeSource& honest = AddSource("honest");
  honest.Add(content);
  ASSERT_TRUE(Fetch({BlobOf(content)}).ok());
  EXPECT_EQ(Stored(BlobOf(content)), content);
  EXPECT_EQ(honest.offsets, std::vector<uint64_t>{0});
  EXPECT_EQ(progress_.bytes_fetched, 10'000U) << "what was rejected does not count";
}

// What rots on this machine's own disk is noticed before it is used, and comes anew.
TEST_F(LayerCacheTest, APieceDamagedOnDiskIsRemovedAndFetchedAnew) {
  const std::string content = Content(10'000, 9);
  const engine::Blob blob = BlobOf(content);
  AddSource("a").Add(content);
  ASSERT_TRUE(Fetch({blob}).ok());
  ASSERT_TRUE(cache_->Has(blob.hash));
  std::fstream(cache_->PathOf(blob.hash), std::ios::in | std::ios::out | std::ios::binary).seekp(5'000).put('\x7f');
  EXPECT_FALSE(cache_->Has(blob.hash));
  EXPECT_EQ(FilesInDirectory(), 0U);
  ASSERT_TRUE(Fetch({blob}).ok());
  EXPECT_EQ(Stored(blob), content);
}

// The liar's half, then the honest source's: the whole is wrong, and is fetched again.
TEST_F(LayerCacheTest, ACorruptHalfIsNotKept) {
  const std::string content = Content(10'000, 5);
  FakeSource& liar = AddSource("liar");
  liar.AddCorrupt(content);
  liar.break_after = 5'000;
  AddSource("honest").Add(content);
  ASSERT_TRUE(Fetch({BlobOf(content)}).ok());
  EXPECT_EQ(Stored(BlobOf(content)), content);
}

TEST_F(LayerCacheTest, OnlyCorruptSourcesLeaveNothingUnderTheName) {
  const std::string content = Content(10'000, 6);
  AddSource("liar").AddCorrupt(content);
  const absl::Status status = Fetch({BlobOf(content)});
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("liar: piece"));
  EXPECT_FALSE(cache_->Has(BlobOf(content).hash));
}

TEST_F(LayerCacheTest, NobodyHasIt) {
  AddSource("empty");
  const absl::Status status = Fetch({BlobOf(Content(10, 7))});
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("empty: does not have it"));
}

TEST_F(LayerCacheTest, ADiskThatIsTooSmallIsSaidBeforeAnythingMoves) {
  cache_ = *LayerCache::Create({.directory = directory_, .free_bytes = [](const std::string&) { return 9'999; }});
  fetcher_ = std::make_unique<PieceFetcher>(*cache_, metrics_);
  const std::string content = Content(10'000, 8);
  FakeSource& source = AddSource("a");
  source.Add(content);
  const absl::Status status = Fetch({BlobOf(content)});
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("needs 10000 bytes"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("9999 are free"));
  EXPECT_TRUE(source.offsets.empty());
}

// A real full disk: a tmpfs of 64 KiB, and a cache that was told there is room.
TEST_F(LayerCacheTest, ADiskThatFillsUpWhileFetching) {
  if (::mount("tmpfs", directory_.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "this process may not mount a small file system: " << std::strerror(errno);
  }
  cache_ = *LayerCache::Create({.directory = directory_, .free_bytes = [](const std::string&) { return 1 << 30; }});
  fetcher_ = std::make_unique<PieceFetcher>(*cache_, metrics_);
  const std::string content = Content(100'000, 9);
  AddSource("a").Add(content);
  const absl::Status status = Fetch({BlobOf(content)});
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is full"));
  EXPECT_FALSE(cache_->Has(BlobOf(content).hash));
  EXPECT_EQ(::umount(directory_.c_str()), 0);
}

TEST_F(LayerCacheTest, LoadsOfOnePieceShareTheFetch) {
  const std::string content = Content(10'000, 10);
  const engine::Blob blob = BlobOf(content);
  FakeSource& source = AddSource("a");
  source.Add(content);
  absl::Notification go;
  source.wait_for = &go;
  FetchProgress first, second;
  absl::Status first_status, second_status;
  std::thread a([&] { first_status = fetcher_->Fetch({&blob}, sources_, first); });
  std::thread b([&] { second_status = fetcher_->Fetch({&blob}, sources_, second); });
  go.Notify();
  a.join();
  b.join();
  EXPECT_TRUE(first_status.ok()) << first_status;
  EXPECT_TRUE(second_status.ok()) << second_status;
  EXPECT_EQ(first.bytes_fetched + second.bytes_fetched, 10'000U);
}

TEST_F(LayerCacheTest, CancelKeepsThePartForLater) {
  const std::string content = Content(10'000, 11);
  FakeSource& source = AddSource("a");
  source.Add(content);
  progress_.cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(Fetch({BlobOf(content)})));
  progress_.cancelled = false;
  EXPECT_TRUE(Fetch({BlobOf(content)}).ok());
}

}  // namespace
}  // namespace enigma::worker
