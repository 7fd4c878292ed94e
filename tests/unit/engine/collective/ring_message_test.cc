#include "engine/collective/ring_message.h"

#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

TEST(RingMessage, HeadersComeBack) {
  const RingHeader header = {
      .call = {.kind = RingKind::kBroadcast, .root = 7, .number = uint64_t{1} << 40, .count = uint64_t{3} << 33},
      .step = 513,
      .chunk = 70'000};
  std::vector<uint8_t> message(kRingHeaderBytes + 3, 0xAA);
  EncodeRingHeader(header, message);
  EXPECT_EQ(message[kRingHeaderBytes], 0xAA);
  const auto parsed = ParseRingHeader(message);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->call, header.call);
  EXPECT_EQ(parsed->step, header.step);
  EXPECT_EQ(parsed->chunk, header.chunk);
}

TEST(RingMessage, BytesThatAreNoHeaderAreErrors) {
  std::vector<uint8_t> message(kRingHeaderBytes);
  EncodeRingHeader({}, message);
  ASSERT_TRUE(ParseRingHeader(message).ok());
  for (size_t size = 0; size < kRingHeaderBytes; ++size) {
    EXPECT_EQ(ParseRingHeader(std::span(message).first(size)).status().code(), absl::StatusCode::kDataLoss);
  }
  for (const size_t at : {0, 1, 2, 3, 4, 5}) {
    std::vector<uint8_t> other = message;
    other[at] ^= 0x40;
    EXPECT_EQ(ParseRingHeader(other).status().code(), absl::StatusCode::kDataLoss) << "byte " << at;
  }
}

struct RingCase {
  RingKind kind;
  uint32_t size;
  uint64_t count;
};

class RingPlans : public ::testing::TestWithParam<RingCase> {};

// What one rank sends is what the next one expects, and what comes goes on.
TEST_P(RingPlans, NeighboursAgree) {
  const RingCase& ring = GetParam();
  for (uint32_t root = 0; root < (ring.kind == RingKind::kBroadcast ? ring.size : 1); ++root) {
    const RingCall call = {.kind = ring.kind, .root = root, .number = 0, .count = ring.count};
    for (uint32_t rank = 0; rank < ring.size; ++rank) {
      const RingPlan plan(call, rank, ring.size);
      const RingPlan next(call, (rank + 1) % ring.size, ring.size);
      bool received = false;
      for (uint32_t step = 0; step < plan.steps(); ++step) {
        ASSERT_EQ(plan.Sends(step), next.Receives(step)) << "rank " << rank << " step " << step;
        if (step > 0) {
          ASSERT_EQ(plan.Sends(step), plan.Receives(step - 1));
        }
        received = received || plan.Receives(step);
        if (!plan.Sends(step)) continue;
        ASSERT_EQ(plan.ChunksSent(step), next.ChunksReceived(step));
        for (uint32_t chunk = 0; chunk < plan.ChunksSent(step); ++chunk) {
          ASSERT_EQ(plan.SentChunk(step, chunk).begin, next.ReceivedChunk(step, chunk).begin);
          ASSERT_EQ(plan.SentChunk(step, chunk).count, next.ReceivedChunk(step, chunk).count);
        }
      }
      EXPECT_FALSE(plan.Sends(plan.steps()));
      EXPECT_TRUE(received) << "who hears nothing notices nothing";
    }
  }
}

// Every value of a sum is added to by each other rank once, and stored by each that has not the sum itself.
TEST_P(RingPlans, EveryValueIsReceivedOnceInEachHalf) {
  const RingCase& ring = GetParam();
  if (ring.kind != RingKind::kSum) return;
  std::vector<uint32_t> added(ring.count, 0);
  std::vector<uint32_t> stored(ring.count, 0);
  for (uint32_t rank = 0; rank < ring.size; ++rank) {
    const RingPlan plan({.kind = ring.kind, .count = ring.count}, rank, ring.size);
    for (uint32_t step = 0; step < plan.steps(); ++step) {
      for (uint32_t chunk = 0; chunk < plan.ChunksReceived(step); ++chunk) {
        const RingPlan::Range range = plan.ReceivedChunk(step, chunk);
        ASSERT_LE(range.count, RingPlan::kChunkValues);
        for (uint64_t i = 0; i < range.count; ++i) ++(plan.Adds(step) ? added : stored)[range.begin + i];
      }
    }
  }
  for (uint64_t i = 0; i < ring.count; ++i) {
    ASSERT_EQ(added[i], ring.size - 1) << i;
    ASSERT_EQ(stored[i], ring.size - 1) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, RingPlans,
                         ::testing::Values(RingCase{RingKind::kSum, 2, 0}, RingCase{RingKind::kSum, 2, 1},
                                           RingCase{RingKind::kSum, 2, 100'001}, RingCase{RingKind::kSum, 3, 2},
                                           RingCase{RingKind::kSum, 3, 98'304}, RingCase{RingKind::kSum, 3, 98'305},
                                           RingCase{RingKind::kSum, 5, 13}, RingCase{RingKind::kSum, 5, 300'007},
                                           RingCase{RingKind::kBroadcast, 2, 0},
                                           RingCase{RingKind::kBroadcast, 2, 700'001},
                                           RingCase{RingKind::kBroadcast, 3, 262'144},
                                           RingCase{RingKind::kBroadcast, 5, 262'145}));

}  // namespace
}  // namespace enigma::engine
