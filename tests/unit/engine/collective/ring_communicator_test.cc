#include "engine/collective/ring_communicator.h"

#include <thread>

#include <absl/synchronization/notification.h>
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/collective/in_process_links.h"
#include "engine/collective/packed_integers.h"
#include "engine/collective/ring_message.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

std::vector<uint8_t> Message(const RingHeader& header, const std::vector<int64_t>& values) {
  std::vector<uint8_t> message(kRingHeaderBytes);
  EncodeRingHeader(header, message);
  PackIntegers(values, message);
  return message;
}

// What a ring of two says when its peer, instead of half of a sum of four values, sends this.
absl::Status AnswerTo(const std::vector<std::vector<uint8_t>>& messages) {
  InProcessNetwork network(2);
  const auto peer = network.Join(0);
  const auto ring = MakeRingCommunicator(network.Join(1));
  std::vector<int64_t> values = {1, 2, 3, 4};
  EXPECT_TRUE(ring->StartSum(values).ok());
  for (const auto& message : messages) {
    if (!peer->Send(1, message).ok()) break;
  }
  return ring->Wait();
}

TEST(RingCommunicator, TakesWhatAPeerOfTheProtocolSends) {
  const RingCall call = {.kind = RingKind::kSum, .count = 4};
  EXPECT_TRUE(AnswerTo({Message({.call = call, .step = 0}, {7, 7}), Message({.call = call, .step = 1}, {9, 9})}).ok());
}

TEST(RingCommunicator, RefusesWhatIsNoMessageOfTheRing) {
  const RingCall call = {.kind = RingKind::kSum, .count = 4};
  const auto good = Message({.call = call, .step = 0}, {7, 7});
  std::vector<uint8_t> cut(good.begin(), good.end() - 1);
  std::vector<uint8_t> longer = good;
  longer.push_back(0);
  RingCall later = call;
  later.number = 5;
  const std::vector<std::vector<std::vector<uint8_t>>> cases = {
      {std::vector<uint8_t>{}},
      {{1, 2, 3}},
      {cut},
      {longer},
      {Message({.call = call, .step = 0}, {700})},
      {Message({.call = call, .step = 0}, {7, 7, 7})},
      {Message({.call = call, .step = 2}, {7, 7})},
      {Message({.call = call, .step = 0, .chunk = 1}, {7, 7})},
      {good, good},
      {Message({.call = later, .step = 0}, {7, 7})},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    const absl::Status status = AnswerTo(cases[i]);
    EXPECT_FALSE(status.ok()) << "case " << i;
    EXPECT_THAT(std::string(status.message()), HasSubstr("rank 0")) << "case " << i;
  }
}

TEST(RingCommunicator, RefusesMoreOfWhatIsOver) {
  InProcessNetwork network(2);
  const auto peer = network.Join(0);
  const auto ring = MakeRingCommunicator(network.Join(1));
  const RingCall call = {.kind = RingKind::kSum, .count = 4};
  ASSERT_TRUE(peer->Send(1, Message({.call = call, .step = 0}, {7, 7})).ok());
  ASSERT_TRUE(peer->Send(1, Message({.call = call, .step = 1}, {9, 9})).ok());
  ASSERT_TRUE(peer->Send(1, Message({.call = call, .step = 1}, {9, 9})).ok());
  std::vector<int64_t> values = {1, 2, 3, 4};
  ASSERT_TRUE(ring->StartSum(values).ok());
  ASSERT_TRUE(ring->Wait().ok());
  EXPECT_EQ(values, (std::vector<int64_t>{8, 9, 9, 9}));
  ASSERT_TRUE(ring->StartSum(values).ok());
  EXPECT_THAT(std::string(ring->Wait().message()), HasSubstr("over"));
}

// One rank waits where another goes on: neither may wait for ever.
TEST(RingCommunicator, WaitsAtDifferentPlacesAreAnError) {
  InProcessNetwork network(3);
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < 3; ++rank) {
    threads.emplace_back([&network, rank] {
      const auto ring = MakeRingCommunicator(network.Join(rank));
      std::vector<int64_t> first(300'000, 1);
      std::vector<int64_t> second(300'000, 1);
      absl::Status status = ring->StartSum(first);
      if (rank == 1) {
        absl::SleepFor(absl::Milliseconds(20));  // the others have begun the second one
        if (status.ok()) status = ring->Wait();
      }
      if (status.ok()) status = ring->StartSum(second);
      if (status.ok()) status = ring->Wait();
      if (status.ok()) {  // it went well after all: the order of messages decides
        EXPECT_EQ(second, std::vector<int64_t>(300'000, 3));
      } else {
        EXPECT_THAT(std::string(status.message()), HasSubstr("rank "));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(RingCommunicator, AValueIsTheCallersAgainOnceACallHasFailed) {
  for (int round = 0; round < 20; ++round) {
    InProcessNetwork network(2);
    std::thread other([&network] {
      const auto ring = MakeRingCommunicator(network.Join(0));
      std::vector<int64_t> values(400'000, 1);
      if (ring->StartSum(values).ok()) (void)ring->Wait();
    });
    const auto ring = MakeRingCommunicator(network.Join(1));
    {
      std::vector<int64_t> values(400'000, 1);
      ASSERT_TRUE(ring->StartSum(values).ok());
      absl::SleepFor(absl::Microseconds(100 * round));
      ring->Abort(absl::CancelledError("enough"));
      if (ring->Wait().ok()) break;  // it was quicker
    }                                // sanitizers see whether anybody still writes
    other.join();
  }
}

}  // namespace
}  // namespace enigma::engine
