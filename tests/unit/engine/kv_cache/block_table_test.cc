#include "engine/kv_cache/block_table.h"

#include <set>

#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

TEST(BlockAllocatorTest, HandsOutEveryBlockOnceThenNone) {
  BlockAllocator allocator(5);
  std::set<uint32_t> blocks;
  for (int i = 0; i < 5; ++i) {
    const auto block = allocator.Allocate();
    ASSERT_TRUE(block.has_value());
    EXPECT_LT(*block, 5U);
    blocks.insert(*block);
  }
  EXPECT_EQ(blocks.size(), 5U);
  EXPECT_EQ(allocator.free_count(), 0U);
  EXPECT_EQ(allocator.Allocate(), std::nullopt);
}

TEST(BlockAllocatorTest, HandsOutTheBlockFreedLastFirst) {
  BlockAllocator allocator(4);
  const uint32_t first = *allocator.Allocate();
  const uint32_t second = *allocator.Allocate();
  allocator.Free(first);
  allocator.Free(second);
  EXPECT_EQ(allocator.free_count(), 4U);
  EXPECT_EQ(allocator.Allocate(), second);
  EXPECT_EQ(allocator.Allocate(), first);
}

TEST(BlockAllocatorTest, DiesWhenABlockIsFreedTwice) {
  BlockAllocator allocator(2);
  const uint32_t block = *allocator.Allocate();
  allocator.Free(block);
  EXPECT_DEATH(allocator.Free(block), "was not allocated");
  EXPECT_DEATH(allocator.Free(7), "was not allocated");
}

TEST(BlocksForTest, CountsBegunBlocks) {
  EXPECT_EQ(BlocksFor(0), 0U);
  EXPECT_EQ(BlocksFor(1), 1U);
  EXPECT_EQ(BlocksFor(32), 1U);
  EXPECT_EQ(BlocksFor(33), 2U);
}

}  // namespace
}  // namespace enigma::engine
