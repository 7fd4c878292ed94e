#include "engine/text/merge_table.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;

std::vector<TokenId> Merged(const MergeTable& table, std::vector<TokenId> ids) {
  Merger(table).Apply(ids);
  return ids;
}

// The definition, in quadratic time.
std::vector<TokenId> MergedSlowly(const MergeTable& table, std::vector<TokenId> ids) {
  for (;;) {
    const MergeTable::Merge* best = nullptr;
    size_t best_at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const MergeTable::Merge* merge = ids[i] >= 0 && ids[i + 1] >= 0 ? table.Find(ids[i], ids[i + 1]) : nullptr;
      if (merge != nullptr && (best == nullptr || merge->rank < best->rank)) {
        best = merge;
        best_at = i;
      }
    }
    if (best == nullptr) return ids;
    ids[best_at] = best->merged;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

TEST(Merger, LowerRanksGoFirst) {
  MergeTable table;
  table.Add(1, 2, {.rank = 5, .merged = 10});
  table.Add(2, 3, {.rank = 1, .merged = 11});
  EXPECT_THAT(Merged(table, {1, 2, 3}), ElementsAre(1, 11));
}

TEST(Merger, OfEqualRanksTheLeftmostGoesFirst) {
  MergeTable table;
  table.Add(1, 1, {.rank = 0, .merged = 2});
  EXPECT_THAT(Merged(table, {1, 1, 1}), ElementsAre(2, 1));
  EXPECT_THAT(Merged(table, {1, 1, 1, 1}), ElementsAre(2, 2));
}

TEST(Merger, TheFirstMergeOfAPairStays) {
  MergeTable table;
  table.Add(1, 2, {.rank = 0, .merged = 3});
  table.Add(1, 2, {.rank = 1, .merged = 4});
  EXPECT_THAT(Merged(table, {1, 2}), ElementsAre(3));
}

TEST(Merger, LeavesMissingTokensAlone) {
  MergeTable table;
  table.Add(1, 2, {.rank = 0, .merged = 3});
  EXPECT_THAT(Merged(table, {-1, 1, 2, -1, 1}), ElementsAre(-1, 3, -1, 1));
  EXPECT_THAT(Merged(table, {}), ElementsAre());
  EXPECT_THAT(Merged(table, {7}), ElementsAre(7));
}

TEST(Merger, AgreesWithTheDefinitionOnRandomTables) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    MergeTable table;
    const int tokens = 3 + static_cast<int>(random() % 20);
    for (int i = 0; i < tokens * 3; ++i) {
      table.Add(static_cast<TokenId>(random() % tokens), static_cast<TokenId>(random() % tokens),
                {.rank = static_cast<int32_t>(random() % 8), .merged = static_cast<TokenId>(random() % tokens)});
    }
    std::vector<TokenId> ids(random() % 60);
    for (TokenId& id : ids) id = static_cast<TokenId>(random() % (tokens + 1)) - 1;
    EXPECT_EQ(Merged(table, ids), MergedSlowly(table, ids)) << "round " << round;
  }
}

}  // namespace
}  // namespace enigma::engine
