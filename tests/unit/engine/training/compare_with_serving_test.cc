#include "engine/training/compare_with_serving.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/given_row.h"
#include "engine/training/decoder.h"
#include "tests/support/edited_model.h"
#include "tests/support/message_of.h"
#include "tests/unit/engine/training/small_models.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;
using testing::SmallModel;
using testing::SmallSpec;
using testing::TemporaryFolder;

std::vector<TokenId> SomePrompt() {
  std::vector<TokenId> prompt;
  for (int i = 0; i < 40; ++i) prompt.push_back((i * 37 + 5) % testing::kBpTokens);
  return prompt;
}

std::vector<float> TrainersLogits(const SmallModel& model, const std::vector<TokenId>& prompt, ThreadPool& pool,
                                  const float* given = nullptr) {
  SlotBatch batch;
  batch.tokens = prompt;
  batch.targets.assign(prompt.size(), -1);
  for (uint32_t i = 0; i < prompt.size(); ++i) batch.positions.push_back(i);
  batch.starts = {0, static_cast<uint32_t>(prompt.size())};
  Decoder decoder(model.spec, model.layout, 64, {}, pool);
  decoder.SetWeights(model.state.weights.data());
  return decoder.Logits(batch, given);
}

TEST(CompareWithServingTest, TheTrainersLogitsAreThoseThatAreServed) {
  const TemporaryFolder folder;
  ThreadPool pool(2);
  const std::vector<TokenId> prompt = SomePrompt();
  for (const ModelSpec& spec : testing::SmallSpecs()) {
    const SmallModel model(spec);
    const std::string path = folder.File("m.gguf");
    ASSERT_TRUE(ExportGguf(model.View(), DType::kF32, path).ok());
    const std::vector<float> expected = TrainersLogits(model, prompt, pool);
    const auto comparison = CompareWithServing(path, prompt, expected, pool);
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    EXPECT_GT(comparison->largest_logit, 1);
    EXPECT_TRUE(comparison->Within(1e-5)) << spec.name << ": " << comparison->largest_difference << " of "
                                          << comparison->largest_logit << " at " << comparison->position;
  }
}

TEST(CompareWithServingTest, AWrongFileIsSeen) {
  const TemporaryFolder folder;
  ThreadPool pool(1);
  const std::vector<TokenId> prompt = SomePrompt();
  const SmallModel model(SmallSpec("llama"));
  const std::string path = folder.File("m.gguf");
  ASSERT_TRUE(ExportGguf(model.View(), DType::kF32, path).ok());
  std::vector<float> expected = TrainersLogits(model, prompt, pool);
  // Two rows of a query exchanged, as a wrong pairing would; and another epsilon.
  enigma::testing::EditModel(path, folder.File("rows.gguf"), [](enigma::testing::EditableModel& edited) {
    auto& data = edited.Find("blk.1.attn_q.weight").data;
    std::swap_ranges(data.begin(), data.begin() + 64 * 4, data.begin() + 64 * 4);
  });
  EXPECT_FALSE(CompareWithServing(folder.File("rows.gguf"), prompt, expected, pool)->Within(1e-4));
  enigma::testing::EditModel(path, folder.File("epsilon.gguf"), [](enigma::testing::EditableModel& edited) {
    edited.metadata.Set("llama.attention.layer_norm_rms_epsilon", 1e-2);
  });
  EXPECT_FALSE(CompareWithServing(folder.File("epsilon.gguf"), prompt, expected, pool)->Within(1e-4));

  EXPECT_THAT(MessageOf(CompareWithServing(path, prompt, std::span(expected).first(5), pool).status()),
              HasSubstr("5 logits are expected of 40 tokens"));
  expected[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(CompareWithServing(path, prompt, expected, pool).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CompareWithServingTest, RowsThatAreGivenStandInTheirPlaces) {
  const TemporaryFolder folder;
  ThreadPool pool(1);
  const SmallModel model(SmallSpec("llama"));
  const std::string path = folder.File("m.gguf");
  ASSERT_TRUE(ExportGguf(model.View(), DType::kF32, path).ok());
  std::vector<TokenId> prompt = SomePrompt();
  for (size_t i = 1; i < 4; ++i) prompt[i] = kGivenRow;
  std::vector<float> given(3 * model.spec.hidden);
  for (size_t i = 0; i < given.size(); ++i) given[i] = 0.01F * static_cast<float>(i * 7 % 11);
  const std::vector<float> expected = TrainersLogits(model, prompt, pool, given.data());
  const auto comparison = CompareWithServing(path, prompt, expected, pool, given);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_TRUE(comparison->Within(1e-5)) << comparison->largest_difference;
  std::rotate(given.begin(), given.begin() + model.spec.hidden, given.end());  // in other places
  EXPECT_FALSE(CompareWithServing(path, prompt, expected, pool, given)->Within(1e-4));
  EXPECT_THAT(MessageOf(CompareWithServing(path, prompt, expected, pool).status()), HasSubstr("0 values are given"));
}

TEST(CompareWithServingTest, QuantisingIsSeenAndBounded) {
  const TemporaryFolder folder;
  ThreadPool pool(2);
  const SmallModel model(SmallSpec("qwen2"));
  const std::vector<TokenId> prompt = SomePrompt();
  const std::vector<float> expected = TrainersLogits(model, prompt, pool);
  const std::string path = folder.File("m.gguf");
  for (const auto& [type, tolerance] : {std::pair(DType::kF16, 2e-3), std::pair(DType::kQ8_0, 0.1)}) {
    ASSERT_TRUE(ExportGguf(model.View(), type, path).ok());
    const auto comparison = CompareWithServing(path, prompt, expected, pool);
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    EXPECT_TRUE(comparison->Within(tolerance)) << comparison->largest_difference;
    EXPECT_FALSE(comparison->Within(1e-5));
  }
}

}  // namespace
}  // namespace enigma::engine
