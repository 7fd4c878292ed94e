#include "worker/training/job_files.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/channel.h"
#include "rpc/server.h"
#include "tests/support/test_data.h"
#include "tests/unit/worker/training/small_job_files.h"

namespace enigma::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class JobFileCalls : public ::testing::Test {
 protected:
  JobFileCalls() : folder_(::testing::TempDir() + "/job_files_" + std::to_string(::getpid())) {
    std::filesystem::remove_all(folder_);
    ServerOptions options;
    options.host = "127.0.0.1";
    options.services = {&files_};
    server_ = *RpcServer::Start(options);
    channel_ = MakeChannel("127.0.0.1:" + std::to_string(server_->port()), nullptr, ExpectedPeer::AnyNode());
    cache_ = *LayerCache::Create({.directory = folder_, .free_bytes = {}});
    for (uint32_t i = 0; i < 700'000; ++i) data_.push_back(static_cast<char>(i * 2654435761U >> 24));
  }
  ~JobFileCalls() override { std::filesystem::remove_all(folder_); }

  absl::Status Fetch(const v1::JobFile& file) { return FetchJobFile(channel_, 7, file, *cache_, progress_, stop_); }
  std::string Cached(const v1::JobFile& file) {
    engine::Sha256 hash{};
    std::copy(file.sha256().begin(), file.sha256().end(), hash.begin());
    return enigma::testing::ReadFileOrDie(cache_->PathOf(hash));
  }

  const std::string folder_;
  std::string data_;
  SmallJobFiles files_;
  std::unique_ptr<RpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<LayerCache> cache_;
  FetchProgress progress_;
  StopSignal stop_;
};

TEST_F(JobFileCalls, AFileIsFetchedOnce) {
  const v1::JobFile file = files_.Add("tokens.bin", data_);
  ASSERT_TRUE(Fetch(file).ok());
  EXPECT_EQ(Cached(file), data_);
  ASSERT_TRUE(Fetch(file).ok());
  EXPECT_THAT(files_.offsets(), SizeIs(1));
  EXPECT_EQ(progress_.bytes_fetched, data_.size());
  EXPECT_EQ(progress_.bytes_present, data_.size()) << "the second time";
}

TEST_F(JobFileCalls, AFetchGoesOnWhereItBroke) {
  const v1::JobFile file = files_.Add("tokens.bin", data_);
  files_.BreakAfter(300'000);
  ASSERT_TRUE(Fetch(file).ok());
  EXPECT_EQ(Cached(file), data_);
  EXPECT_THAT(files_.offsets(), ElementsAre(0, 300'000, 600'000));
}

TEST_F(JobFileCalls, AFetchThatMovesNothingGivesUp) {
  v1::JobFile file = files_.Add("tokens.bin", data_);
  server_->Shutdown();
  const absl::Status lost = Fetch(file);
  EXPECT_TRUE(absl::IsUnavailable(lost)) << lost;
}

TEST_F(JobFileCalls, WhatIsNotThereIsNotAskedForAgain) {
  v1::JobFile file = files_.Add("tokens.bin", data_);
  file.set_name("other.bin");
  EXPECT_TRUE(absl::IsNotFound(Fetch(file)));
  file.clear_sha256();
  EXPECT_TRUE(absl::IsInvalidArgument(Fetch(file)));
}

TEST_F(JobFileCalls, AnotherContentIsFetchedAnewAndThenRefused) {
  const v1::JobFile file = files_.Add("tokens.bin", data_);
  files_.Spoil(1);
  EXPECT_TRUE(Fetch(file).ok());
  EXPECT_EQ(Cached(file), data_);
  const v1::JobFile second = files_.Add("more.bin", data_ + data_);
  files_.Spoil(2);
  EXPECT_TRUE(absl::IsDataLoss(Fetch(second)));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/" + engine::HexOf(engine::Sha256Of(data_ + data_))));
}

TEST_F(JobFileCalls, AStoredFileIsWhatWasWritten) {
  v1::StoreJobFileRequest::Head head;
  head.set_job(7);
  head.set_kind("checkpoint");
  head.set_step(30);
  head.set_epoch(4);
  const auto write = [&](const engine::ByteSink& sink) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(data_.data());
    for (size_t at = 0; at < data_.size(); at += 70'000) {
      if (const absl::Status taken = sink({bytes + at, std::min<size_t>(70'000, data_.size() - at)}); !taken.ok()) {
        return taken;
      }
    }
    return absl::OkStatus();
  };
  const absl::Status stored = StoreJobFile(channel_, head, write, stop_);
  ASSERT_TRUE(stored.ok()) << stored;
  ASSERT_THAT(files_.stored(), SizeIs(1));
  const SmallJobFiles::Stored one = files_.stored().front();
  EXPECT_EQ(one.data, data_);
  EXPECT_EQ(one.head.step(), 30U);
  EXPECT_EQ(one.head.epoch(), 4U);
  EXPECT_EQ(one.head.total_bytes(), data_.size());

  files_.RefuseStores({grpc::StatusCode::FAILED_PRECONDITION, "an older step than the newest"});
  const absl::Status refused = StoreJobFile(channel_, head, write, stop_);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("older step"));

  stop_.Stop(absl::CancelledError("enough"));
  EXPECT_EQ(StoreJobFile(channel_, head, write, stop_).message(), "enough");
}

TEST_F(JobFileCalls, AFileThatIsThereAlreadyIsStored) {
  files_.HaveAll();
  const std::vector<uint8_t> piece(1 << 20);
  const auto write = [&](const engine::ByteSink& sink) {
    for (int i = 0; i < 32; ++i) {
      if (const absl::Status taken = sink(piece); !taken.ok()) return taken;
    }
    return absl::OkStatus();
  };
  v1::StoreJobFileRequest::Head head;
  head.set_kind("checkpoint");
  const absl::Status stored = StoreJobFile(channel_, head, write, stop_);
  EXPECT_TRUE(stored.ok()) << stored;
  EXPECT_THAT(files_.stored(), SizeIs(0));
}

TEST_F(JobFileCalls, AFileOnDiskIsStored) {
  const std::string path = folder_ + "/model.gguf";
  std::ofstream(path) << data_ << data_ << data_;
  v1::StoreJobFileRequest::Head head;
  head.set_kind("gguf");
  ASSERT_TRUE(StoreJobFile(channel_, head, path, stop_).ok());
  EXPECT_EQ(files_.stored().front().data, data_ + data_ + data_);
  EXPECT_TRUE(absl::IsNotFound(StoreJobFile(channel_, head, folder_ + "/absent", stop_)));
}

TEST_F(JobFileCalls, ASignalEndsAFetch) {
  const v1::JobFile file = files_.Add("tokens.bin", data_);
  stop_.Stop(absl::CancelledError("enough"));
  EXPECT_EQ(Fetch(file).message(), "enough");
}

TEST(Chunks, ArePiecesOfOneMebibyte) {
  std::vector<size_t> sizes;
  Chunks chunks([&](std::string piece) {
    sizes.push_back(piece.size());
    return absl::OkStatus();
  });
  const std::vector<uint8_t> part(600'000);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(chunks.Add(part).ok());
  ASSERT_TRUE(chunks.Finish().ok());
  ASSERT_TRUE(chunks.Finish().ok());
  EXPECT_THAT(sizes, ElementsAre(1 << 20, 1 << 20, 2'400'000 - (2 << 20)));
}

}  // namespace
}  // namespace enigma::worker
