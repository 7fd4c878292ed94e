#include "engine/corpus/slot_order.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

std::vector<uint64_t> Permutation(uint64_t count, uint64_t seed, uint64_t stream) {
  std::vector<uint64_t> order;
  for (uint64_t i = 0; i < count; ++i) order.push_back(PermutedIndex(i, count, seed, stream));
  return order;
}

TEST(SlotOrderTest, EveryCountIsPermuted) {
  for (const uint64_t count : {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 1000, 4097}) {
    std::vector<uint64_t> order = Permutation(count, 7, 3);
    std::sort(order.begin(), order.end());
    for (uint64_t i = 0; i < count; ++i) ASSERT_EQ(order[i], i) << count;
  }
}

TEST(SlotOrderTest, CountsBeyond32BitsHaveAPlaceToo) {
  const uint64_t count = uint64_t{1} << 50;
  std::set<uint64_t> seen;
  for (uint64_t i = 0; i < 1000; ++i) seen.insert(PermutedIndex(i, count, 1, 0));
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_LT(*seen.rbegin(), count);
  EXPECT_GT(*seen.rbegin(), count / 2);
}

// Fixed for good: checkpoints say only how many steps were done, and go on with the sequences that come next.
TEST(SlotOrderTest, OrderIsTheSameForever) {
  EXPECT_EQ(Permutation(10, 42, 0), (std::vector<uint64_t>{0, 5, 4, 9, 1, 2, 6, 3, 7, 8}));
  EXPECT_EQ(Permutation(10, 42, 1), (std::vector<uint64_t>{1, 5, 7, 6, 4, 8, 2, 9, 3, 0}));
}

// Every element comes to every place about equally often, whatever the count. 4,000 trials of a share of 1 / count:
// six standard deviations are allowed.
TEST(SlotOrderTest, NoPlaceIsPreferred) {
  for (const uint64_t count : {2, 3, 4, 5, 7, 12, 16}) {
    constexpr int kTrials = 4000;
    std::map<std::pair<uint64_t, uint64_t>, int> counts;
    for (uint64_t stream = 0; stream < kTrials; ++stream) {
      for (uint64_t i = 0; i < count; ++i) ++counts[{i, PermutedIndex(i, count, 99, stream)}];
    }
    const double share = 1.0 / static_cast<double>(count);
    const double expected = kTrials * share;
    const double allowed = 6 * std::sqrt(kTrials * share * (1 - share));
    ASSERT_EQ(counts.size(), count * count);
    for (const auto& [pair, n] : counts) EXPECT_NEAR(n, expected, allowed) << pair.first << " to " << pair.second;
  }
}

TEST(SlotOrderTest, NeighboursAreTornApart) {
  const std::vector<uint64_t> order = Permutation(10'000, 5, 1);
  int neighbours = 0;
  for (size_t i = 1; i < order.size(); ++i) neighbours += order[i] == order[i - 1] + 1 ? 1 : 0;
  EXPECT_LT(neighbours, 10);  // one is expected
}

TEST(SlotOrderTest, SlotsCutAStepInOrder) {
  // 7 sequences a step in 3 slots: 3, 2, 2.
  const SlotOrder order(100, 7, 3, 11);
  EXPECT_EQ(order.Size(0), 3u);
  EXPECT_EQ(order.Size(1), 2u);
  EXPECT_EQ(order.Size(2), 2u);
  const SlotOrder whole(100, 7, 1, 11);
  for (const uint64_t step : {0, 1, 13, 14, 15, 1000}) {
    std::vector<uint64_t> cut, together;
    for (uint32_t slot = 0; slot < 3; ++slot) {
      for (uint32_t place = 0; place < order.Size(slot); ++place) cut.push_back(order.At(step, slot, place));
    }
    for (uint32_t place = 0; place < 7; ++place) together.push_back(whole.At(step, 0, place));
    EXPECT_EQ(cut, together);
  }
}

TEST(SlotOrderTest, EpochsFollowOneAnother) {
  // 10 sequences, 4 a step: steps 0 to 4 hold two epochs.
  const SlotOrder order(10, 4, 2, 3);
  std::vector<uint64_t> drawn;
  for (uint64_t step = 0; step < 5; ++step) {
    for (uint32_t slot = 0; slot < 2; ++slot) {
      for (uint32_t place = 0; place < 2; ++place) drawn.push_back(order.At(step, slot, place));
    }
  }
  const std::vector<uint64_t> first(drawn.begin(), drawn.begin() + 10), second(drawn.begin() + 10, drawn.end());
  EXPECT_EQ(first, Permutation(10, 3, 0));
  EXPECT_EQ(second, Permutation(10, 3, 1));
  EXPECT_NE(first, second);
  EXPECT_NE(first, Permutation(10, 4, 0));
  EXPECT_DOUBLE_EQ(order.Epoch(0), 0);
  EXPECT_DOUBLE_EQ(order.Epoch(5), 2);
  EXPECT_DOUBLE_EQ(order.Epoch(1), 0.4);
}

}  // namespace
}  // namespace enigma::engine
