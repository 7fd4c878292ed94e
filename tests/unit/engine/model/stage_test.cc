#include "engine/model/stage.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/kernels/matmul.h"
#include "engine/model/available_memory.h"
#include "engine/spec/memory_estimate.h"
#include "tests/support/edited_model.h"
#include "tests/support/synthetic_models.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<WeightSource> Open(const char* shape, const char* type) {
  auto weights = OpenGgufWeights(enigma::testing::SyntheticModelPath(shape, type));
  EXPECT_TRUE(weights.ok()) << weights.status();
  return *std::move(weights);
}

TEST(StageTest, TakesOnlyItsLayersAndKnowsItsPlace) {
  const auto weights = Open("tiny", "q8_0");
  ThreadPool pool(1);
  const auto whole = Stage::Create(*weights, {}, pool);
  const auto first = Stage::Create(*weights, {.last_layer = 1}, pool);
  ASSERT_TRUE(whole.ok() && first.ok()) << whole.status() << first.status();
  const auto rest = Stage::Create(*weights, {.first_layer = 1}, pool);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_TRUE((*whole)->is_first() && (*whole)->is_last());
  EXPECT_TRUE((*first)->is_first() && !(*first)->is_last());
  EXPECT_TRUE(!(*rest)->is_first() && (*rest)->is_last());
  EXPECT_EQ((*first)->weight_bytes() + (*rest)->weight_bytes(), (*whole)->weight_bytes());
  EXPECT_EQ((*first)->kv_bytes() + (*rest)->kv_bytes(), (*whole)->kv_bytes());
}

TEST(StageTest, RefusesOptionsThatDoNotFitTheModel) {
  const auto weights = Open("tiny", "q8_0");
  ThreadPool pool(1);
  const auto refusal = [&](const Stage::Options& options) {
    return std::string(Stage::Create(*weights, options, pool).status().message());
  };
  EXPECT_THAT(refusal({.first_layer = 1, .last_layer = 1}), HasSubstr("layers [1, 1)"));
  EXPECT_THAT(refusal({.last_layer = 1000}), HasSubstr("layers [0, 1000)"));
  EXPECT_THAT(refusal({.context = 1U << 30}), HasSubstr("a context of 1073741824"));
  EXPECT_THAT(refusal({.kv_blocks = 0}), HasSubstr("at least 1"));
}

TEST(StageTest, SaysHowMuchMemoryIsMissing) {
  const auto weights = Open("tiny", "q8_0");
  ThreadPool pool(1);
  const auto stage = Stage::Create(*weights, {.kv_blocks = 0xFFFFFFF0U}, pool);
  EXPECT_EQ(stage.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(stage.status().message()), HasSubstr("bytes (weights "));
  EXPECT_GT(AvailableMemoryBytes().value_or(1), 0U);
}

TEST(StageTest, ContextIsWhatTheBlocksHold) {
  const auto weights = Open("tiny", "q8_0");
  ThreadPool pool(1);
  const auto stage = Stage::Create(*weights, {.kv_blocks = 2}, pool);
  ASSERT_TRUE(stage.ok()) << stage.status();
  EXPECT_EQ((*stage)->context(), 64U);
}

TEST(StageTest, ReportsDamagedWeights) {
  const std::string damaged = ::testing::TempDir() + "/damaged.gguf";
  enigma::testing::EditModel(enigma::testing::SyntheticModelPath("tiny", "f32"), damaged, [](auto& model) {
    std::vector<uint8_t>& data = model.Find("blk.3.ffn_down.weight").data;
    std::fill(data.begin(), data.end(), uint8_t{0xFF});  // not a number
  });
  const auto weights = OpenGgufWeights(damaged);
  ASSERT_TRUE(weights.ok()) << weights.status();
  ThreadPool pool(1);
  const auto stage = Stage::Create(**weights, {}, pool);
  ASSERT_TRUE(stage.ok()) << stage.status();
  const std::vector<uint32_t> blocks = {0};
  Batch batch;
  batch.runs.push_back({.first = 0, .count = 1, .blocks = blocks, .logits = true});
  batch.tokens = {5};
  const auto output = (*stage)->Forward(batch);
  EXPECT_EQ(output.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(output.status().message()), HasSubstr("after layer 3 is not finite"));
  std::remove(damaged.c_str());
}

TEST(StageTest, AStepWithoutLogitsStillStoresKeys) {
  const auto weights = Open("tiny", "f32");
  ThreadPool pool(1);
  const auto stage = Stage::Create(*weights, {}, pool);
  ASSERT_TRUE(stage.ok()) << stage.status();
  const std::vector<uint32_t> blocks = {3, 1};
  const auto last_logits = [&](uint32_t first, std::vector<TokenId> tokens, bool logits) {
    Batch batch;
    batch.runs.push_back(
        {.first = first, .count = static_cast<uint32_t>(tokens.size()), .blocks = blocks, .logits = logits});
    batch.tokens = std::move(tokens);
    const auto output = (*stage)->Forward(batch);
    EXPECT_TRUE(output.ok()) << output.status();
    return std::vector<float>(output->logits.begin(), output->logits.end());
  };
  const auto whole = last_logits(0, {1, 2, 3, 4}, true);
  EXPECT_TRUE(last_logits(0, {1, 2, 3}, false).empty());
  EXPECT_EQ(last_logits(3, {4}, true), whole);
}

TEST(StageTest, RowsThatAreGivenTakeTheTokensPlace) {
  const auto weights = Open("tiny", "f32");
  ThreadPool pool(1);
  const auto stage = Stage::Create(*weights, {}, pool);
  ASSERT_TRUE(stage.ok()) << stage.status();
  const size_t hidden = (*stage)->spec().hidden;
  const auto table = weights->Tensor("token_embd.weight");
  ASSERT_TRUE(table.ok()) << table.status();
  const auto* rows = reinterpret_cast<const float*>(table->data.data());
  const std::vector<uint32_t> blocks = {0}, others = {1};
  const auto logits = [&](std::vector<TokenId> first, std::vector<TokenId> second, const std::vector<float>& given) {
    Batch batch;
    batch.runs.push_back({.first = 0, .count = static_cast<uint32_t>(first.size()), .blocks = blocks, .logits = true});
    batch.runs.push_back({.first = 0, .count = static_cast<uint32_t>(second.size()), .blocks = others, .logits = true});
    batch.tokens = std::move(first);
    batch.tokens.insert(batch.tokens.end(), second.begin(), second.end());
    batch.given = given;
    const auto output = (*stage)->Forward(batch);
    EXPECT_TRUE(output.ok()) << output.status();
    return output.ok() ? std::vector<float>(output->logits.begin(), output->logits.end()) : std::vector<float>();
  };
  std::vector<float> given;
  for (const size_t id : {7, 9, 11}) given.insert(given.end(), rows + id * hidden, rows + (id + 1) * hidden);
  const auto expected = logits({7, 9, 5}, {3, 11}, {});
  EXPECT_EQ(logits({kGivenRow, kGivenRow, 5}, {3, kGivenRow}, given), expected);
  given[0] += 1.0F;
  EXPECT_NE(logits({kGivenRow, kGivenRow, 5}, {3, kGivenRow}, given), expected);
}

TEST(MemoryEstimateTest, PackedSizesAreThoseOfTheKernels) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1,
                           DType::kQ5_0, DType::kQ5_1, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    EXPECT_EQ(PackedWeightBytes(type, 40, 512), PackedMatrix::PackedBytes(type, 40, 512)) << Traits(type).name;
  }
}

TEST(MemoryEstimateTest, KvBlocksAreThoseOfTheKernels) {
  ModelSpec spec;
  spec.kv_heads = 3;
  spec.head_dim = 64;
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kQ8}) {
    EXPECT_EQ(KvBlockLayerBytes(spec, type), KvBlockBytes(type, 3, 64));
  }
}

TEST(MemoryEstimateTest, HoldsForRealStages) {
  for (const char* shape : {"tiny", "tiny-qwen2", "tiny-qwen3"}) {
    const auto weights = Open(shape, "q4_k");
    ThreadPool pool(1);
    for (const uint32_t last : {1U, 0U}) {
      const auto stage = Stage::Create(*weights, {.last_layer = last, .kv_blocks = 8, .max_rows = 32}, pool);
      ASSERT_TRUE(stage.ok()) << stage.status();
      const StageMemory memory =
          EstimateStageMemory(weights->head(), (*stage)->spec(), {.last_layer = last, .kv_blocks = 8, .max_rows = 32});
      EXPECT_GE(memory.weights, (*stage)->weight_bytes()) << shape;
      EXPECT_LE(memory.weights, (*stage)->weight_bytes() * 11 / 10) << shape;
      EXPECT_EQ(memory.kv, (*stage)->kv_bytes()) << shape;
      EXPECT_GE(memory.workspace, (*stage)->workspace_bytes()) << shape;
      EXPECT_LE(memory.workspace, (*stage)->workspace_bytes() * 11 / 10) << shape;
    }
  }
}

}  // namespace
}  // namespace enigma::engine
