#include "engine/corpus/slot_loader.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/corpus/small_token_set.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;
using testing::SmallDocument;
using testing::SmallTokenSet;

bool operator==(const SlotBatch& a, const SlotBatch& b) {
  return a.tokens == b.tokens && a.targets == b.targets && a.positions == b.positions && a.starts == b.starts &&
         a.trained == b.trained;
}

std::vector<SmallDocument> ManyDocuments() {
  std::vector<SmallDocument> documents;
  for (uint32_t i = 0; i < 60; ++i) documents.push_back({static_cast<TokenId>(100 * i), 5 + i % 40, 1 + i % 4});
  return documents;
}

SlotLoader MakeLoader(std::shared_ptr<const TokenSet> set, const SlotLoader::Options& options) {
  auto loader = SlotLoader::Create(std::move(set), options);
  EXPECT_TRUE(loader.ok()) << loader.status();
  return std::move(loader).value();
}

TEST(SlotLoaderTest, BatchOfOneDocument) {
  const SlotLoader loader =
      MakeLoader(SmallTokenSet({{10, 6, 3}}), {.context = 8, .sequences_per_step = 1, .slots = 1});
  const SlotBatch batch = loader.Load(0, 0);
  EXPECT_EQ(batch.tokens, (std::vector<int32_t>{10, 11, 12, 13, 14}));
  EXPECT_EQ(batch.targets, (std::vector<int32_t>{-1, -1, 13, 14, 15}));
  EXPECT_EQ(batch.positions, (std::vector<uint32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(batch.starts, (std::vector<uint32_t>{0, 5}));
  EXPECT_EQ(batch.trained, 3u);
}

TEST(SlotLoaderTest, PositionsBeginAnewInEveryPieceAndACutPredictsBeyondItself) {
  // Readable: 4 + 4 + 1 of the first document, 3 of the second; sequences of 4.
  const SlotLoader loader =
      MakeLoader(SmallTokenSet({{0, 10}, {50, 4}}), {.context = 4, .sequences_per_step = 3, .slots = 1, .seed = 5});
  const SlotBatch batch = loader.Load(0, 0);
  ASSERT_EQ(batch.tokens.size(), 12u);
  ASSERT_EQ(batch.starts.size(), 5u);
  std::vector<std::vector<int32_t>> pieces;
  for (size_t p = 0; p + 1 < batch.starts.size(); ++p) {
    pieces.emplace_back(batch.tokens.begin() + batch.starts[p], batch.tokens.begin() + batch.starts[p + 1]);
    for (uint32_t i = batch.starts[p]; i < batch.starts[p + 1]; ++i) {
      EXPECT_EQ(batch.positions[i], i - batch.starts[p]);
      EXPECT_EQ(batch.targets[i], batch.tokens[i] + 1);
    }
  }
  std::sort(pieces.begin(), pieces.end());
  EXPECT_EQ(pieces, (std::vector<std::vector<int32_t>>{{0, 1, 2, 3}, {4, 5, 6, 7}, {8}, {50, 51, 52}}));
  EXPECT_EQ(batch.trained, 12u);
}

TEST(SlotLoaderTest, AnEpochPredictsEveryTokenOnce) {
  const auto set = SmallTokenSet(ManyDocuments());
  const SlotLoader loader = MakeLoader(set, {.context = 32, .sequences_per_step = 1, .slots = 1, .seed = 9});
  std::vector<int32_t> predicted, expected;
  for (uint64_t step = 0; step < loader.sequences(); ++step) {
    for (const int32_t target : loader.Load(step, 0).targets) {
      if (target >= 0) predicted.push_back(target);
    }
  }
  for (const SmallDocument& document : ManyDocuments()) {
    for (uint32_t i = document.prompt; i < document.size; ++i) {
      expected.push_back(document.first + static_cast<int32_t>(i));
    }
  }
  std::sort(predicted.begin(), predicted.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(predicted, expected);
  EXPECT_DOUBLE_EQ(loader.Epoch(loader.sequences()), 1);
}

TEST(SlotLoaderTest, HowAStepIsCutChangesNothingOfIt) {
  const auto set = SmallTokenSet(ManyDocuments());
  const SlotLoader whole = MakeLoader(set, {.context = 40, .sequences_per_step = 7, .slots = 1, .seed = 2});
  for (const uint32_t slots : {2u, 3u, 7u}) {
    const SlotLoader cut = MakeLoader(set, {.context = 40, .sequences_per_step = 7, .slots = slots, .seed = 2});
    for (const uint64_t step : {0, 3, 11}) {
      std::vector<int32_t> tokens;
      uint64_t trained = 0;
      for (uint32_t slot = 0; slot < slots; ++slot) {
        const SlotBatch batch = cut.Load(step, slot);
        tokens.insert(tokens.end(), batch.tokens.begin(), batch.tokens.end());
        trained += batch.trained;
      }
      const SlotBatch uncut = whole.Load(step, 0);
      EXPECT_EQ(tokens, uncut.tokens);
      EXPECT_EQ(trained, uncut.trained);
      EXPECT_GT(trained, 0u);
    }
  }
}

TEST(SlotLoaderTest, AnotherLoaderFindsTheSame) {
  const SlotLoader::Options options = {.context = 24, .sequences_per_step = 6, .slots = 3, .seed = 77};
  const SlotLoader one = MakeLoader(SmallTokenSet(ManyDocuments()), options);
  for (uint64_t step = 0; step < 30; ++step) one.Load(step, 0);
  const SlotLoader other = MakeLoader(SmallTokenSet(ManyDocuments()), options);
  EXPECT_TRUE(one.Load(17, 2) == other.Load(17, 2));
  const SlotLoader seeded =
      MakeLoader(SmallTokenSet(ManyDocuments()), {.context = 24, .sequences_per_step = 6, .slots = 3, .seed = 78});
  EXPECT_FALSE(one.Load(17, 2) == seeded.Load(17, 2));
}

TEST(SlotLoaderTest, FewDocumentsGoRound) {
  const SlotLoader loader = MakeLoader(SmallTokenSet({{10, 4}}), {.context = 8, .sequences_per_step = 5, .slots = 2});
  EXPECT_EQ(loader.Load(3, 0).tokens, (std::vector<int32_t>{10, 11, 12, 10, 11, 12, 10, 11, 12}));
  EXPECT_EQ(loader.Load(3, 1).starts, (std::vector<uint32_t>{0, 3, 6}));
  EXPECT_DOUBLE_EQ(loader.Epoch(3), 15);
}

TEST(SlotLoaderTest, ValidationIsReadOnce) {
  std::vector<SmallDocument> validation;
  for (TokenId i = 0; i < 5; ++i) validation.push_back({5000 + 10 * i, 9});
  const SlotLoader loader =
      MakeLoader(SmallTokenSet(ManyDocuments(), validation), {.context = 8, .sequences_per_step = 5, .slots = 3});
  ASSERT_EQ(loader.validation_slots(), 3u);  // five sequences, two at a time
  std::vector<int32_t> targets;
  for (uint32_t index = 0; index < 3; ++index) {
    const SlotBatch batch = loader.LoadValidation(index);
    targets.insert(targets.end(), batch.targets.begin(), batch.targets.end());
    EXPECT_EQ(batch.starts.size(), index < 2 ? 3u : 2u);
  }
  std::sort(targets.begin(), targets.end());
  ASSERT_EQ(targets.size(), 40u);
  EXPECT_EQ(targets.front(), 5001);
  EXPECT_EQ(targets.back(), 5048);
  EXPECT_EQ(
      MakeLoader(SmallTokenSet({{10, 4}}), {.context = 8, .sequences_per_step = 1, .slots = 1}).validation_slots(), 0u);
}

TEST(SlotLoaderTest, OptionsThatCannotBe) {
  const auto set = SmallTokenSet(ManyDocuments());
  const auto error = [](const auto& which, const SlotLoader::Options& options) {
    return std::string(SlotLoader::Create(which, options).status().message());
  };
  EXPECT_THAT(error(set, {.context = 0, .sequences_per_step = 1, .slots = 1}), HasSubstr("context must be"));
  EXPECT_THAT(error(set, {.context = ~0u, .sequences_per_step = 1, .slots = 1}), HasSubstr("context must be"));
  EXPECT_THAT(error(set, {.context = 8, .sequences_per_step = 1, .slots = 0}), HasSubstr("slots at least 1"));
  EXPECT_THAT(error(set, {.context = 8, .sequences_per_step = 3, .slots = 4}), HasSubstr("fewer slots"));
  EXPECT_THAT(error(set, {.context = 1 << 20, .sequences_per_step = 8192, .slots = 1}), HasSubstr("2^32"));
  EXPECT_THAT(error(SmallTokenSet({{1, 1}}), {.context = 8, .sequences_per_step = 1, .slots = 1}),
              HasSubstr("nothing to train on"));
}

}  // namespace
}  // namespace enigma::engine
