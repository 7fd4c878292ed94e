#include "engine/collective/in_process_links.h"

#include <atomic>
#include <thread>

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/collective/lost_rank.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

TEST(InProcessLinks, MessagesArriveInOrderPerPair) {
  InProcessNetwork network(3);
  const auto zero = network.Join(0);
  const auto one = network.Join(1);
  const auto two = network.Join(2);
  ASSERT_TRUE(zero->Send(2, {1}).ok());
  ASSERT_TRUE(one->Send(2, {2}).ok());
  ASSERT_TRUE(zero->Send(2, {}).ok());
  std::vector<uint8_t> message;
  ASSERT_TRUE(two->Receive(1, &message).ok());
  EXPECT_EQ(message, std::vector<uint8_t>{2});
  ASSERT_TRUE(two->Receive(0, &message).ok());
  EXPECT_EQ(message, std::vector<uint8_t>{1});
  ASSERT_TRUE(two->Receive(0, &message).ok());
  EXPECT_TRUE(message.empty());
  EXPECT_EQ(two->rank(), 2U);
  EXPECT_EQ(two->size(), 3U);
  EXPECT_FALSE(two->Send(3, {}).ok());
}

TEST(InProcessLinks, ASenderWaitsWhileTooMuchIsOnItsWay) {
  InProcessNetwork network(2, {.window_bytes = 100});
  const auto zero = network.Join(0);
  const auto one = network.Join(1);
  ASSERT_TRUE(zero->Send(1, std::vector<uint8_t>(1000)).ok()) << "one message goes whatever its size";
  std::atomic<bool> sent = false;
  std::thread sender([&] {
    EXPECT_TRUE(zero->Send(1, {1}).ok());
    sent = true;
  });
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_FALSE(sent);
  std::vector<uint8_t> message;
  ASSERT_TRUE(one->Receive(0, &message).ok());
  ASSERT_TRUE(one->Receive(0, &message).ok());
  EXPECT_EQ(message.size(), 1U);
  sender.join();
}

TEST(InProcessLinks, WhatARankHasSentArrivesAfterItHasLeft) {
  InProcessNetwork network(2);
  auto zero = network.Join(0);
  const auto one = network.Join(1);
  ASSERT_TRUE(zero->Send(1, {5}).ok());
  zero.reset();
  std::vector<uint8_t> message;
  ASSERT_TRUE(one->Receive(0, &message).ok());
  const absl::Status status = one->Receive(0, &message);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("rank 0 has left"));
  EXPECT_FALSE(LostRank(status)) << "it was not lost";
}

TEST(InProcessLinks, TheFirstReasonStaysAndReachesEverybody) {
  InProcessNetwork network(3);
  const auto zero = network.Join(0);
  const auto one = network.Join(1);
  std::thread waiting([&] {
    std::vector<uint8_t> message;
    const absl::Status status = one->Receive(0, &message);
    EXPECT_EQ(LostRank(status), 2U) << status;
  });
  network.Kill(2);
  zero->Abort(absl::CancelledError("later"));
  waiting.join();
  EXPECT_EQ(LostRank(zero->Send(1, {})), 2U);
}

TEST(LostRankError, OnlySaysSoWhereARankWasLost) {
  EXPECT_EQ(LostRank(LostRankError(70'000, "x")), 70'000U);
  EXPECT_FALSE(LostRank(absl::OkStatus()));
  EXPECT_FALSE(LostRank(absl::UnavailableError("x")));
}

}  // namespace
}  // namespace enigma::engine
