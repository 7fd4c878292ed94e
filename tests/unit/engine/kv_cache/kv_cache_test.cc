#include "engine/kv_cache/kv_cache.h"

#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

KvCache::Options TwoLayers() {
  return {.layers = 2, .kv_heads = 4, .head_dim = 8, .blocks = 3, .types = {KvType::kF32, KvType::kF16}};
}

TEST(KvCacheTest, CountsBytesPerLayerByItsType) {
  const uint64_t elements = 3 * 2 * 32 * 4 * 8;
  EXPECT_EQ(KvCache::Bytes(TwoLayers()), elements * 4 + elements * 2);
}

TEST(KvCacheTest, LayersAreApartAndTyped) {
  auto cache = KvCache::Create(TwoLayers());
  ASSERT_TRUE(cache.ok()) << cache.status();
  const KvLayerView first = cache->layer(0);
  const KvLayerView second = cache->layer(1);
  EXPECT_EQ(first.type, KvType::kF32);
  EXPECT_EQ(second.type, KvType::kF16);
  EXPECT_EQ(first.block_bytes, 2 * second.block_bytes);
  EXPECT_EQ(first.head_dim, 8U);
  EXPECT_EQ(second.kv_heads, 4U);
  const bool apart =
      first.base + 3 * first.block_bytes <= second.base || second.base + 3 * second.block_bytes <= first.base;
  EXPECT_TRUE(apart);
}

TEST(KvCacheTest, RefusesSizesThatMakeNoSense) {
  KvCache::Options options = TwoLayers();
  options.types.pop_back();
  EXPECT_EQ(KvCache::Create(options).status().code(), absl::StatusCode::kInvalidArgument);
  options = TwoLayers();
  options.blocks = 0;
  EXPECT_EQ(KvCache::Create(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(KvCacheTest, SaysHowManyBytesAreMissing) {
  KvCache::Options options = TwoLayers();
  options.blocks = 4'000'000'000U;
  options.head_dim = 1 << 16;
  const auto cache = KvCache::Create(options);
  EXPECT_EQ(cache.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(cache.status().message()).find(std::to_string(KvCache::Bytes(options))), std::string::npos);
}

}  // namespace
}  // namespace enigma::engine
