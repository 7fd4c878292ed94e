#include "worker/training/stream_links.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include "engine/collective/lost_rank.h"
#include "tests/support/rank_nodes.h"
#include "worker/training/link_frame.h"

namespace enigma::worker {
namespace {

using ::testing::HasSubstr;
using Links = std::vector<std::unique_ptr<engine::PeerLinks>>;

// Machines that run tests may be very busy.
constexpr absl::Duration kSoon = absl::Seconds(8);

Links OpenAll(testing::RankNodes& nodes, std::vector<StreamLinksOptions> options) {
  Links links(options.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < options.size(); ++rank) {
    threads.emplace_back([&, rank] {
      auto opened = nodes.Open(options[rank]);
      ASSERT_TRUE(opened.ok()) << "rank " << rank << ": " << opened.status();
      links[rank] = *std::move(opened);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return links;
}

Links OpenAll(testing::RankNodes& nodes, uint32_t count, uint64_t epoch = 1) {
  std::vector<StreamLinksOptions> options;
  for (uint32_t rank = 0; rank < count; ++rank) options.push_back(nodes.Options(rank, 1, epoch));
  return OpenAll(nodes, options);
}

// What Receive says when it ends, and how long it took.
struct Ending {
  absl::Status status;
  absl::Duration after;
};
Ending AwaitEnd(engine::PeerLinks& links, uint32_t peer) {
  const absl::Time start = absl::Now();
  std::vector<uint8_t> message;
  absl::Status status;
  while (status.ok()) status = links.Receive(peer, &message);
  return {status, absl::Now() - start};
}

TEST(StreamLinks, CarryMessagesInOrder) {
  testing::RankNodes nodes(3);
  const Links links = OpenAll(nodes, 3);
  for (uint8_t i = 0; i < 200; ++i) ASSERT_TRUE(links[0]->Send(2, {i}).ok());
  ASSERT_TRUE(links[1]->Send(2, std::vector<uint8_t>(3 << 20, 9)).ok());
  ASSERT_TRUE(links[2]->Send(0, {}).ok());
  std::vector<uint8_t> message;
  for (uint8_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(links[2]->Receive(0, &message).ok());
    ASSERT_EQ(message, std::vector<uint8_t>{i});
  }
  ASSERT_TRUE(links[2]->Receive(1, &message).ok());
  EXPECT_EQ(message, std::vector<uint8_t>(3 << 20, 9));
  ASSERT_TRUE(links[0]->Receive(2, &message).ok());
  EXPECT_TRUE(message.empty());
}

TEST(StreamLinks, WithoutCertificatesNodesAreWhomTheySay) {
  testing::RankNodes nodes = testing::RankNodes::Insecure(2);
  const Links links = OpenAll(nodes, 2);
  ASSERT_TRUE(links[0]->Send(1, {7}).ok());
  std::vector<uint8_t> message;
  ASSERT_TRUE(links[1]->Receive(0, &message).ok());
  EXPECT_EQ(message, std::vector<uint8_t>{7});
}

TEST(StreamLinks, ASenderWaitsForOneThatDoesNotTake) {
  testing::RankNodes nodes(2);
  std::vector<StreamLinksOptions> options;
  for (uint32_t rank = 0; rank < 2; ++rank) {
    options.push_back(nodes.Options(rank, 1, 1));
    options.back().window_bytes = 100'000;
  }
  const Links links = OpenAll(nodes, options);
  std::atomic<int> sent = 0;
  std::thread sender([&] {
    for (int i = 0; i < 30; ++i, ++sent) ASSERT_TRUE(links[0]->Send(1, std::vector<uint8_t>(30'000)).ok());
  });
  absl::SleepFor(absl::Milliseconds(1500));  // longer than a silent peer would live
  EXPECT_EQ(sent, 3);
  std::vector<uint8_t> message;
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(links[1]->Receive(0, &message).ok());
  sender.join();
}

TEST(StreamLinks, ARankWhoseConnectionsBreakIsLostAtOnce) {
  testing::RankNodes nodes(3);
  const Links links = OpenAll(nodes, 3);
  nodes.Break(1);
  for (const uint32_t rank : {0, 2}) {
    const Ending ending = AwaitEnd(*links[rank], 2 - rank);
    EXPECT_EQ(engine::LostRank(ending.status), 1U) << ending.status;
    EXPECT_THAT(std::string(ending.status.message()), HasSubstr("rank 1 (node node-1) is lost"));
    EXPECT_LT(ending.after, absl::Seconds(1));
  }
}

// As when its cable is pulled, or its process is stopped; while threads take all the processor's time.
TEST(StreamLinks, ASilentRankIsLostAlsoWhereEverybodyComputes) {
  testing::RankNodes nodes(3);
  std::atomic<bool> over = false;
  std::vector<std::thread> busy;
  for (uint32_t i = 0; i < 2 * std::thread::hardware_concurrency(); ++i) {
    busy.emplace_back([&over] {
      while (!over) {
      }
    });
  }
  {
    const Links links = OpenAll(nodes, 3);
    absl::SleepFor(absl::Milliseconds(1500));
    ASSERT_TRUE(links[0]->Send(1, {1}).ok()) << "busy is not dead";
    nodes.Freeze(1);
    for (const uint32_t rank : {0, 2}) {
      const Ending ending = AwaitEnd(*links[rank], 2 - rank);
      EXPECT_EQ(engine::LostRank(ending.status), 1U) << ending.status;
      EXPECT_LT(ending.after, kSoon);
      if (rank == 0) {
        EXPECT_GT(ending.after, absl::Milliseconds(700));
        RecordProperty("silence_ms", static_cast<int>(absl::ToInt64Milliseconds(ending.after)));
      }
    }
  }
  over = true;
  for (std::thread& thread : busy) thread.join();
}

// Both ends of a link that goes silent name each other, whichever of them noticed first.
TEST(StreamLinks, OfACutBothEndsKnow) {
  testing::RankNodes nodes(3);
  const Links links = OpenAll(nodes, 3);
  nodes.FreezeBetween(0, 1);
  for (const uint32_t rank : {0, 1, 2}) AwaitEnd(*links[rank], rank == 2 ? 0 : 2);
  const auto names = [&](uint32_t rank, uint32_t peer) {
    const std::vector<uint32_t> unheard = links[rank]->Unheard();
    return std::count(unheard.begin(), unheard.end(), peer) > 0;
  };
  EXPECT_TRUE(names(0, 1));
  EXPECT_TRUE(names(1, 0));
  EXPECT_FALSE(names(2, 0) || names(2, 1));
}

// A connection may come up though nothing comes of it.
TEST(StreamLinks, APeerThatDoesNotAnswerIsLostLongBeforeOneThatHasNotBegun) {
  testing::RankNodes nodes(2);
  nodes.Freeze(1);
  StreamLinksOptions options = nodes.Options(0, 1, 1);
  options.open_timeout = absl::Seconds(60);
  const absl::Time start = absl::Now();
  const absl::Status status = nodes.Open(options).status();
  EXPECT_EQ(engine::LostRank(status), 1U) << status;
  EXPECT_LT(absl::Now() - start, kSoon);
}

TEST(StreamLinks, AnAbortReachesEverybodyWithItsReason) {
  testing::RankNodes nodes(3);
  const Links links = OpenAll(nodes, 3);
  links[1]->Abort(absl::FailedPreconditionError("not finite in step 7"));
  links[1]->Abort(absl::InternalError("later"));
  for (const uint32_t rank : {0, 2}) {
    const Ending ending = AwaitEnd(*links[rank], 2 - rank);
    EXPECT_EQ(ending.status, absl::FailedPreconditionError("not finite in step 7"));
    EXPECT_LT(ending.after, kSoon);
    EXPECT_EQ(links[rank]->Send(1, {}), ending.status);
  }
}

TEST(StreamLinks, WhatARankHasSentArrivesAfterItHasLeft) {
  testing::RankNodes nodes(2);
  for (uint64_t epoch = 1; epoch <= 5; ++epoch) {
    Links links = OpenAll(nodes, 2, epoch);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(links[0]->Send(1, std::vector<uint8_t>(100'000)).ok());
    links[0].reset();
    std::vector<uint8_t> message;
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(links[1]->Receive(0, &message).ok()) << i;
    const absl::Status status = links[1]->Receive(0, &message);
    EXPECT_THAT(std::string(status.message()), HasSubstr("rank 0 (node node-0) has left"));
    EXPECT_FALSE(engine::LostRank(status));
  }
}

TEST(StreamLinks, ARankMayBeginLaterThanOthers) {
  testing::RankNodes nodes(2);
  std::unique_ptr<engine::PeerLinks> early;
  std::thread other([&] {
    auto opened = nodes.Open(0);
    ASSERT_TRUE(opened.ok()) << opened.status();
    early = *std::move(opened);
  });
  absl::SleepFor(absl::Milliseconds(300));
  auto late = nodes.Open(1);
  EXPECT_TRUE(late.ok()) << late.status();
  other.join();
}

TEST(StreamLinks, ARankThatDoesNotComeIsNamed) {
  testing::RankNodes nodes(2);
  StreamLinksOptions options = nodes.Options(0, 1, 1);
  options.open_timeout = absl::Milliseconds(300);
  const absl::Status status = nodes.Open(options).status();
  EXPECT_EQ(engine::LostRank(status), 1U) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("rank 1 (node node-1)"));
  nodes.Break(1);
  const absl::Time start = absl::Now();
  options.epoch = 2;
  const absl::Status unreachable = nodes.Open(options).status();
  EXPECT_EQ(engine::LostRank(unreachable), 1U) << unreachable;
  EXPECT_LT(absl::Now() - start, kSoon);
}

TEST(StreamLinks, OpeningCanBeGivenUp) {
  testing::RankNodes nodes(2);
  StreamLinksOptions options = nodes.Options(0, 1, 1);
  absl::Notification cancelled;
  options.cancelled = &cancelled;
  std::thread other([&] {
    absl::SleepFor(absl::Milliseconds(100));
    cancelled.Notify();
  });
  const absl::Time start = absl::Now();
  EXPECT_TRUE(absl::IsCancelled(nodes.Open(options).status()));
  EXPECT_LT(absl::Now() - start, kSoon);
  other.join();
}

TEST(StreamLinks, AnEpochIsOpenedOnceAndOldOnesAreOver) {
  testing::RankNodes nodes(2);
  OpenAll(nodes, 2, 5);
  for (const uint64_t epoch : {4, 5}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(nodes.Open(nodes.Options(0, 1, epoch)).status()));
  }
  // A rank that is behind: the others refuse it at once.
  testing::RankNodes others(2);
  OpenAll(others, 2, 5);
  EXPECT_TRUE(absl::IsNotFound(others.incoming(1).Find(1, 6).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(others.incoming(1).Find(1, 4).status()));
  EXPECT_TRUE(absl::IsNotFound(others.incoming(1).Find(2, 4).status())) << "another job";
}

// A caller of its own making: what it says and who it is, is not what a rank would be and say.
class ForeignStream {
 public:
  ForeignStream(const testing::RankNodes& nodes, uint32_t from, uint32_t to,
                const std::vector<std::pair<std::string, std::string>>& metadata) {
    v1::NodeAddress address;
    address.set_node_id(absl::StrCat("node-", to));
    address.add_endpoints(absl::StrCat("127.0.0.1:", nodes.port(to)));
    auto channel = nodes.channels(from).Connect(address);
    EXPECT_TRUE(channel.ok()) << channel.status();
    for (const auto& [key, value] : metadata) context_.AddMetadata(key, value);
    stub_.emplace(*channel);
    stream_ = stub_->PrepareCall(&context_, kRankLinkMethod, &queue_);
    stream_->StartCall(nullptr);
    Next();
  }
  // What the receiver ends it with.
  grpc::Status Finish() {
    grpc::Status status;
    stream_->Finish(&status, nullptr);
    Next();
    return status;
  }
  void Write(const grpc::ByteBuffer& frame) {
    stream_->Write(frame, nullptr);
    Next();
  }
  ~ForeignStream() {
    context_.TryCancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

 private:
  void Next() {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
  }
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::optional<grpc::GenericStub> stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

using Metadata = std::vector<std::pair<std::string, std::string>>;
const Metadata kFirstEpoch = {{"enigma-job", "1"}, {"enigma-epoch", "1"}, {"enigma-node", "node-1"}};

TEST(StreamLinksService, TakesOnlyRanksOfTheEpoch) {
  testing::RankNodes nodes(3);
  std::vector<StreamLinksOptions> options;
  for (uint32_t rank = 0; rank < 2; ++rank) {
    options.push_back(nodes.Options(rank, 1, 1));
    options.back().ranks.resize(2);
  }
  const Links links = OpenAll(nodes, options);
  EXPECT_EQ(ForeignStream(nodes, 2, 0, kFirstEpoch).Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED)
      << "its certificate says who it is, whatever it says itself";
  EXPECT_EQ(ForeignStream(nodes, 1, 0, kFirstEpoch).Finish().error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(ForeignStream(nodes, 1, 0, {{"enigma-job", "1"}, {"enigma-epoch", "2"}}).Finish().error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ForeignStream(nodes, 1, 0, {{"enigma-job", "1"}, {"enigma-epoch", "0"}}).Finish().error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  const grpc::Status without = ForeignStream(nodes, 1, 0, {{"enigma-job", "1"}}).Finish();
  EXPECT_EQ(without.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(without.error_message(), "link without enigma-epoch");
  const grpc::Status no_number = ForeignStream(nodes, 1, 0, {{"enigma-job", "1"}, {"enigma-epoch", "x"}}).Finish();
  EXPECT_EQ(no_number.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(no_number.error_message(), "enigma-epoch is no number up to 18446744073709551615");
  ASSERT_TRUE(links[0]->Send(1, {1}).ok()) << "and the epoch goes on";
  std::vector<uint8_t> message;
  EXPECT_TRUE(links[1]->Receive(0, &message).ok());
}

// A peer that is a rank and sends what no rank sends: the epoch ends, for a neighbour that lies once is not believed
// again.
TEST(StreamLinksService, EndsTheEpochWhereAPeerSendsWhatItMayNot) {
  const std::string kNothing = std::string("\x09", 1);
  const grpc::Slice unknown(kNothing.data(), kNothing.size());
  const std::vector<std::vector<grpc::ByteBuffer>> cases = {
      {grpc::ByteBuffer(&unknown, 1)},
      {MessageFrame(std::vector<uint8_t>(900)), MessageFrame(std::vector<uint8_t>(900))},
      {ByeFrame(), MessageFrame({1})},
  };
  uint64_t epoch = 0;
  testing::RankNodes nodes(2);
  for (const std::vector<grpc::ByteBuffer>& frames : cases) {
    StreamLinksOptions options = nodes.Options(0, 1, ++epoch);
    options.window_bytes = 1000;
    options.open_timeout = absl::Seconds(20);
    std::atomic<bool> ended = false;
    std::thread opening([&] {  // waits for links that do not come, until what did come ends it
      const absl::Status status = nodes.Open(options).status();
      EXPECT_TRUE(absl::IsDataLoss(status) || absl::IsResourceExhausted(status)) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("rank 1 (node node-1)"));
      ended = true;
    });
    while (!nodes.incoming(0).Find(1, epoch).ok()) absl::SleepFor(absl::Milliseconds(1));
    ForeignStream stream(nodes, 1, 0, {{"enigma-job", "1"}, {"enigma-epoch", absl::StrCat(epoch)}});
    for (const grpc::ByteBuffer& frame : frames) stream.Write(frame);
    EXPECT_FALSE(stream.Finish().ok());
    opening.join();
    EXPECT_TRUE(ended);
  }
}

}  // namespace
}  // namespace enigma::worker
