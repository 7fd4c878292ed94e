#include "engine/model/hidden_pool.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/spec/unit_length.h"

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(HiddenPool, MeansAreOfUnitLength) {
  HiddenPool pool(Pooling::kMean, 2, 2);
  EXPECT_EQ(pool.Wants(0, 2), 2u);
  const std::vector<float> rows = {1, 8, 5, 0};
  ASSERT_TRUE(pool.Add(0, 2, rows).ok());
  ASSERT_TRUE(pool.complete());
  EXPECT_THAT(pool.Embedding(), ElementsAre(FloatEq(0.6F), FloatEq(0.8F)));
}

TEST(HiddenPool, LastIsOneRowOfTheLastRun) {
  HiddenPool pool(Pooling::kLast, 5, 2);
  EXPECT_EQ(pool.Wants(0, 4), 0u);
  ASSERT_TRUE(pool.Add(0, 4, {}).ok());
  EXPECT_FALSE(pool.complete());
  EXPECT_EQ(pool.Wants(4, 1), 1u);
  const std::vector<float> row = {-3, 4};
  ASSERT_TRUE(pool.Add(4, 1, row).ok());
  EXPECT_THAT(pool.Embedding(), ElementsAre(FloatEq(-0.6F), FloatEq(0.8F)));
}

// Small numbers beside large ones, whose sum depends on where it is cut unless it is taken row after row.
TEST(HiddenPool, CutsChangeNoBit) {
  constexpr uint32_t kTokens = 23;
  std::vector<float> rows;
  for (uint32_t i = 0; i < kTokens; ++i) rows.push_back(std::ldexp(1.0F + static_cast<float>(i) / 7, 60 * (i % 3)));
  std::vector<float> twice;
  for (const float value : rows) twice.insert(twice.end(), {value, 1e30F - value});
  HiddenPool whole(Pooling::kMean, kTokens, 2);
  ASSERT_TRUE(whole.Add(0, kTokens, twice).ok());
  for (const uint32_t chunk : {1U, 2U, 7U}) {
    HiddenPool pool(Pooling::kMean, kTokens, 2);
    for (uint32_t first = 0; first < kTokens; first += chunk) {
      const uint32_t count = std::min(chunk, kTokens - first);
      ASSERT_TRUE(pool.Add(first, count, std::span(twice).subspan(size_t{first} * 2, size_t{count} * 2)).ok());
    }
    EXPECT_EQ(pool.Embedding(), whole.Embedding()) << chunk;
  }
}

TEST(HiddenPool, APreemptedSequenceBeginsAnew) {
  HiddenPool pool(Pooling::kMean, 2, 1);
  const std::vector<float> row = {7};
  const std::vector<float> rows = {1, 2};
  ASSERT_TRUE(pool.Add(0, 1, row).ok());
  ASSERT_TRUE(pool.Add(0, 2, rows).ok());
  EXPECT_THAT(pool.Embedding(), ElementsAre(FloatEq(1)));
}

TEST(HiddenPool, RefusesGapsAndOtherRows) {
  HiddenPool pool(Pooling::kMean, 4, 1);
  const std::vector<float> two = {1, 2};
  EXPECT_FALSE(pool.Add(1, 2, two).ok()) << "a gap";
  EXPECT_FALSE(pool.Add(0, 3, two).ok()) << "a row is missing";
  EXPECT_FALSE(pool.Add(0, 5, std::vector<float>(5)).ok()) << "beyond the sequence";
}

TEST(ScaleToUnitLength, LeavesZerosAlone) {
  std::vector<float> zeros(3);
  ScaleToUnitLength(zeros);
  EXPECT_THAT(zeros, ElementsAre(0, 0, 0));
  std::vector<float> small = {3e-38F, 4e-38F};  // whose squares no float holds
  ScaleToUnitLength(small);
  EXPECT_THAT(small, ElementsAre(FloatEq(0.6F), FloatEq(0.8F)));
}

}  // namespace
}  // namespace enigma::engine
