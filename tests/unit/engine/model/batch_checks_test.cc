#include "engine/model/batch_checks.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

constexpr BatchLimits kFirst = {.first_stage = true,
                                .last_stage = true,
                                .hidden = 4,
                                .vocab = 10,
                                .context = 100,
                                .kv_blocks = 4,
                                .max_rows = 8,
                                .max_logit_rows = 1};

const std::vector<uint32_t> kBlocks = {0, 1, 2, 3};

Batch OneRun(uint32_t first, uint32_t count) {
  Batch batch;
  batch.runs.push_back({.first = first, .count = count, .blocks = kBlocks, .logits = true});
  batch.tokens.assign(count, 5);
  return batch;
}

std::string Refusal(const Batch& batch, const BatchLimits& limits = kFirst) {
  const auto rows = CheckBatch(batch, limits);
  EXPECT_EQ(rows.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(rows.status().message());
}

TEST(CheckBatchTest, CountsRows) {
  Batch batch = OneRun(30, 3);
  batch.runs.push_back({.first = 0, .count = 5, .blocks = kBlocks, .logits = false});
  batch.tokens.assign(8, 0);
  const auto rows = CheckBatch(batch, kFirst);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(*rows, 8U);
}

TEST(CheckBatchTest, RefusesWhatDoesNotFit) {
  EXPECT_THAT(Refusal(Batch{}), HasSubstr("no runs"));
  EXPECT_THAT(Refusal(OneRun(0, 0)), HasSubstr("run 0 is empty"));
  EXPECT_THAT(Refusal(OneRun(0, 9)), HasSubstr("9 rows, a step takes at most 8"));
  EXPECT_THAT(Refusal(OneRun(95, 6)), HasSubstr("ends at position 101, the context is 100"));
  EXPECT_THAT(Refusal(OneRun(0xFFFFFFFF, 2)), HasSubstr("ends at position 4294967297"));
}

TEST(CheckBatchTest, RefusesBlocksThatAreMissingOrUnknown) {
  Batch batch = OneRun(32, 1);
  batch.runs[0].blocks = std::span(kBlocks).first(1);
  EXPECT_THAT(Refusal(batch), HasSubstr("has 1 KV blocks, needs 2"));
  const std::vector<uint32_t> unknown = {4};
  batch = OneRun(0, 1);
  batch.runs[0].blocks = unknown;
  EXPECT_THAT(Refusal(batch), HasSubstr("names KV block 4, there are 4"));
}

TEST(CheckBatchTest, RefusesTokensOutsideTheVocabulary) {
  Batch batch = OneRun(0, 2);
  batch.tokens[1] = 10;
  EXPECT_THAT(Refusal(batch), HasSubstr("token id 10"));
  batch.tokens[1] = -2;
  EXPECT_THAT(Refusal(batch), HasSubstr("token id -2"));
  batch.tokens.pop_back();
  EXPECT_THAT(Refusal(batch), HasSubstr("the runs have 2 rows, tokens are 1"));
}

TEST(CheckBatchTest, GivenRowsAreAsManyAsTokensSay) {
  std::vector<float> rows(8, 0.5F);
  Batch batch = OneRun(0, 4);
  batch.tokens = {1, kGivenRow, 2, kGivenRow};
  EXPECT_THAT(Refusal(batch), HasSubstr("2 rows of 4 are to be given, 0 floats are"));
  batch.given = std::span(rows).first(4);
  EXPECT_THAT(Refusal(batch), HasSubstr("2 rows of 4 are to be given, 4 floats are"));
  batch.given = rows;
  EXPECT_TRUE(CheckBatch(batch, kFirst).ok());
  rows[7] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Refusal(batch), HasSubstr("not finite"));
  batch.tokens.assign(4, 1);
  EXPECT_THAT(Refusal(batch), HasSubstr("0 rows of 4 are to be given, 8 floats are"));
}

TEST(CheckBatchTest, RefusesTooManyLogits) {
  Batch batch = OneRun(0, 1);
  batch.runs.push_back(batch.runs[0]);
  batch.tokens.assign(2, 0);
  EXPECT_THAT(Refusal(batch), HasSubstr("2 runs ask for logits"));
}

TEST(CheckBatchTest, LaterStagesTakeHiddenStatesOfTheRightSize) {
  BatchLimits later = kFirst;
  later.first_stage = false;
  const std::vector<float> hidden(8, 0.0F);
  Batch batch = OneRun(0, 2);
  EXPECT_THAT(Refusal(batch, later), HasSubstr("later stages take neither tokens nor rows given"));
  batch.tokens.clear();
  batch.hidden = std::span(hidden).first(7);
  EXPECT_THAT(Refusal(batch, later), HasSubstr("7 floats of hidden state for 2 rows of 4"));
  batch.hidden = hidden;
  EXPECT_TRUE(CheckBatch(batch, later).ok());
}

}  // namespace
}  // namespace enigma::engine
