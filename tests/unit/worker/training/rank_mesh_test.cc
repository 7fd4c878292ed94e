#include "worker/training/rank_mesh.h"

#include <atomic>
#include <thread>

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/collective/lost_rank.h"

namespace enigma::worker {
namespace {

using ::testing::HasSubstr;
using Way = RankMesh::Way;

struct RecordedStream final : RankStream {
  void Pulse(uint64_t bytes) override {
    ++pulses;
    taken = bytes;
  }
  void Abort(const absl::Status& why) override { reason = why; }
  void Close() override { closed = true; }
  std::atomic<int> pulses = 0;
  std::atomic<uint64_t> taken = 0;
  absl::Status reason;
  bool closed = false;
};

// Rank 1 of three, with all its streams.
class Mesh : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const uint32_t peer : {0, 2}) {
      for (const Way way : {Way::kOut, Way::kIn}) {
        streams_.push_back(std::make_shared<RecordedStream>());
        ASSERT_TRUE(mesh_.Attach(peer, way, streams_.back()).ok());
      }
    }
  }
  RecordedStream& stream(uint32_t peer, Way way) { return *streams_[(peer == 0 ? 0 : 2) + (way == Way::kOut ? 0 : 1)]; }

  RankMesh mesh_{{.rank = 1, .nodes = {"a", "b", "c"}, .window_bytes = 1000, .silent_pulses_max = 3}};
  std::vector<std::shared_ptr<RecordedStream>> streams_;
};

TEST_F(Mesh, KnowsItsPeers) {
  EXPECT_EQ(*mesh_.RankOf("c"), 2U);
  EXPECT_TRUE(absl::IsPermissionDenied(mesh_.RankOf("x").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(mesh_.RankOf("b").status())) << "its own name";
  EXPECT_TRUE(*mesh_.AwaitStreams(absl::ZeroDuration()));
  std::vector<uint8_t> message;
  EXPECT_TRUE(absl::IsInvalidArgument(mesh_.Take(1, &message)));
  EXPECT_TRUE(absl::IsInvalidArgument(mesh_.AwaitRoom(3, 1)));
}

TEST_F(Mesh, OneStreamPerPeerAndWay) {
  EXPECT_TRUE(absl::IsAlreadyExists(mesh_.Attach(2, Way::kIn, std::make_shared<RecordedStream>())));
  mesh_.Detach(2, Way::kIn);
  EXPECT_TRUE(absl::IsAlreadyExists(mesh_.Attach(2, Way::kIn, std::make_shared<RecordedStream>()))) << "nor later";
}

TEST(RankMesh, SaysWhomItMisses) {
  RankMesh mesh({.rank = 0, .nodes = {"a", "b", "c"}});
  EXPECT_FALSE(*mesh.AwaitStreams(absl::ZeroDuration()));
  EXPECT_EQ(engine::LostRank(mesh.Missing()), 1U);
  ASSERT_TRUE(mesh.Attach(1, Way::kOut, std::make_shared<RecordedStream>()).ok());
  EXPECT_THAT(std::string(mesh.Missing().message()), HasSubstr("from rank 1 (node b)"));
  ASSERT_TRUE(mesh.Attach(1, Way::kIn, std::make_shared<RecordedStream>()).ok());
  EXPECT_EQ(engine::LostRank(mesh.Missing()), 2U);
}

TEST_F(Mesh, ASenderWaitsForRoomThatThePeerMakes) {
  ASSERT_TRUE(mesh_.AwaitRoom(0, 5000).ok()) << "one message goes whatever its size";
  std::atomic<bool> through = false;
  std::thread sender([&] {
    EXPECT_TRUE(mesh_.AwaitRoom(0, 800).ok());
    through = true;
  });
  ASSERT_TRUE(mesh_.AwaitRoom(2, 10).ok()) << "other peers have room of their own";
  mesh_.OnTaken(0, 4000);
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_FALSE(through);
  mesh_.OnTaken(0, 5000);
  sender.join();
}

TEST_F(Mesh, APeerThatTakesWhatWasNotSentIsWrong) {
  ASSERT_TRUE(mesh_.AwaitRoom(0, 10).ok());
  mesh_.OnTaken(0, 1000);
  EXPECT_TRUE(absl::IsDataLoss(mesh_.failure()));
}

TEST_F(Mesh, TellsThePeerWhatItHasTaken) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(mesh_.OnMessage(2, std::vector<uint8_t>(100)).ok());
  std::vector<uint8_t> message;
  ASSERT_TRUE(mesh_.Take(2, &message).ok());
  EXPECT_EQ(stream(2, Way::kIn).pulses, 0) << "little enough to wait for a pulse";
  ASSERT_TRUE(mesh_.Take(2, &message).ok());
  EXPECT_EQ(stream(2, Way::kIn).pulses, 1) << "more than a quarter of the window";
  const uint64_t two = stream(2, Way::kIn).taken;
  EXPECT_GE(two, 200U);
  ASSERT_TRUE(mesh_.Take(2, &message).ok());
  mesh_.Pulse();
  EXPECT_EQ(stream(2, Way::kIn).taken, two / 2 * 3);
}

TEST_F(Mesh, RefusesMoreThanMayWait) {
  ASSERT_TRUE(mesh_.OnMessage(2, std::vector<uint8_t>(5000)).ok()) << "one message comes whatever its size";
  EXPECT_TRUE(absl::IsResourceExhausted(mesh_.OnMessage(2, std::vector<uint8_t>(1))));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(mesh_.OnMessage(0, {}).ok());
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) status = mesh_.OnMessage(0, {});
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << "empty ones cost memory, too";
}

TEST_F(Mesh, SilenceIsALoss) {
  for (int i = 0; i < 3; ++i) {
    mesh_.Pulse();
    mesh_.OnTaken(0, 0);
    mesh_.OnHeard(0, Way::kIn);
    mesh_.OnHeard(2, Way::kIn);
  }
  EXPECT_TRUE(mesh_.failure().ok());
  mesh_.Pulse();  // nothing was heard on the stream to rank 2 four times
  EXPECT_EQ(engine::LostRank(mesh_.failure()), 2U);
  EXPECT_THAT(std::string(mesh_.failure().message()), HasSubstr("rank 2 (node c)"));
  for (const auto& one : streams_) EXPECT_EQ(one->reason, mesh_.failure());
}

// One end of a broken link notices first, and the other end is to know, too.
TEST_F(Mesh, TellsWhomItDidNotHearWhenSomethingElseBroke) {
  const auto hear = [&](uint32_t peer) {
    mesh_.OnTaken(peer, 0);
    mesh_.OnHeard(peer, Way::kIn);
  };
  mesh_.Pulse();
  hear(2);
  EXPECT_TRUE(mesh_.Unheard().empty()) << "one pulse of three is nothing";
  mesh_.Pulse();
  hear(2);
  EXPECT_EQ(mesh_.Unheard(), std::vector<uint32_t>{0});
  mesh_.Fail(engine::LostRankError(1, "somebody says that this rank is lost"));
  hear(0);
  EXPECT_EQ(mesh_.Unheard(), std::vector<uint32_t>{0}) << "what comes later changes nothing";
}

TEST_F(Mesh, WhoHasLeftIsNotMissed) {
  mesh_.OnLeft(0, Way::kIn);
  mesh_.OnLeft(0, Way::kOut);
  for (int i = 0; i < 2; ++i) mesh_.Pulse();
  EXPECT_EQ(mesh_.Unheard(), std::vector<uint32_t>{2});
}

TEST_F(Mesh, MessagesAreHeardToo) {
  std::vector<uint8_t> message;
  for (int i = 0; i < 10; ++i) {
    mesh_.Pulse();
    for (const uint32_t peer : {0, 2}) {
      mesh_.OnTaken(peer, 0);
      ASSERT_TRUE(mesh_.OnMessage(peer, {1}).ok());
      ASSERT_TRUE(mesh_.Take(peer, &message).ok());
    }
  }
  EXPECT_TRUE(mesh_.failure().ok());
}

TEST_F(Mesh, TheFirstFailureEndsAllWaiting) {
  std::thread waiting([&] {
    std::vector<uint8_t> message;
    EXPECT_EQ(mesh_.Take(0, &message).message(), "enough");
  });
  mesh_.Fail(absl::CancelledError("enough"));
  mesh_.Fail(absl::InternalError("later"));
  mesh_.OnLost(2, Way::kIn, absl::UnavailableError("x"));
  waiting.join();
  for (const auto& one : streams_) EXPECT_EQ(one->reason.message(), "enough");
  EXPECT_EQ(mesh_.AwaitRoom(2, 1).message(), "enough");
  EXPECT_EQ(mesh_.Attach(2, Way::kIn, std::make_shared<RecordedStream>()).message(), "enough");
}

TEST_F(Mesh, APeerThatLeavesIsNotLost) {
  ASSERT_TRUE(mesh_.OnMessage(2, {7}).ok());
  mesh_.OnLeft(2, Way::kOut);
  mesh_.OnLost(2, Way::kOut, absl::UnavailableError("it ended"));
  EXPECT_TRUE(mesh_.failure().ok());
  EXPECT_THAT(std::string(mesh_.AwaitRoom(2, 1).message()), HasSubstr("rank 2 (node c) has left"));
  mesh_.OnLeft(2, Way::kIn);
  mesh_.OnLost(2, Way::kIn, absl::UnavailableError("it ended"));
  EXPECT_TRUE(mesh_.failure().ok());
  std::vector<uint8_t> message;
  ASSERT_TRUE(mesh_.Take(2, &message).ok()) << "what came before is still there";
  EXPECT_THAT(std::string(mesh_.Take(2, &message).message()), HasSubstr("rank 2 (node c) has left"));
  for (int i = 0; i < 5; ++i) {
    mesh_.Pulse();
    mesh_.OnTaken(0, 0);
    mesh_.OnHeard(0, Way::kIn);
  }
  EXPECT_TRUE(mesh_.failure().ok()) << "nobody listens for it any more";
}

// It takes no more, and has not said that it sends no more: what it has sent may be what somebody waits for.
TEST_F(Mesh, APeerThatBreaksBeforeItsByeIsLost) {
  mesh_.OnLeft(2, Way::kOut);
  mesh_.OnLost(2, Way::kIn, absl::UnavailableError("it broke"));
  EXPECT_EQ(engine::LostRank(mesh_.failure()), 2U);
}

TEST_F(Mesh, WhoLeavesHasLostNobody) {
  mesh_.Leave();
  for (const auto& one : streams_) EXPECT_TRUE(one->closed);
  mesh_.OnLost(2, Way::kIn, absl::UnavailableError("it ended"));
  EXPECT_TRUE(mesh_.failure().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(mesh_.Attach(2, Way::kIn, std::make_shared<RecordedStream>())));
}

}  // namespace
}  // namespace enigma::worker
