#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/training/rank_trainer.h"
#include "engine/training/state_file.h"
#include "tests/unit/engine/training/trained_ranks.h"

namespace enigma::engine {
namespace {

using testing::Alone;
using testing::BaseWeights;
using testing::ExpectSameState;
using ::testing::HasSubstr;
using testing::Rank;
using testing::SmallConfig;
using testing::SmallLora;

TEST(LoraJob, LearnsAndLeavesTheRestAsItWas) {
  TrainingConfig config = SmallLora({"attn_v", "ffn_gate"});
  config.learning_rate = 0.05;
  Rank rank(config, 2);
  std::vector<double> losses;
  for (uint64_t step = 0; step < config.steps; ++step) {
    const absl::StatusOr<StepResult> result = rank.trainer->Step(nullptr, std::vector<uint32_t>(config.slots, 0), 0);
    ASSERT_TRUE(result.ok()) << result.status();
    losses.push_back(result->loss);
  }
  EXPECT_LT(losses.back(), losses.front() - 0.1);
  const AlignedBuffer<float> base = BaseWeights(config);
  const float* model = rank.trainer->model_weights();
  const ParameterLayout layout(config.spec);
  for (const Parameter& p : layout.parameters()) {
    const bool same = std::memcmp(base.data() + p.offset, model + p.offset, p.count * sizeof(float)) == 0;
    EXPECT_EQ(same, rank.trainer->layout().Find(p.name + kLoraA) == nullptr) << p.name;
  }
  EXPECT_EQ(rank.trainer->state().weights.size(), rank.trainer->layout().floats());
}

TEST(LoraJob, GoesOnFromACheckpointOfTheFactorsAlone) {
  const TrainingConfig config = SmallLora();
  const std::unique_ptr<Rank> through = Alone(config, 6);
  const std::unique_ptr<Rank> first = Alone(config, 4);
  std::vector<uint8_t> bytes;
  const ParameterLayout layout = ParameterLayout::OfJob(config);
  ASSERT_TRUE(WriteState(first->trainer->state(), layout, {}, [&](std::span<const uint8_t> part) {
                bytes.insert(bytes.end(), part.begin(), part.end());
                return absl::OkStatus();
              }).ok());
  EXPECT_LT(bytes.size(), layout.count() * 12 + 10000);
  const auto file = SafetensorsFile::Parse(bytes, "state");
  ASSERT_TRUE(file.ok()) << file.status();
  absl::StatusOr<TrainingState> state = ReadState(**file, layout, {});
  ASSERT_TRUE(state.ok()) << state.status();
  Rank second(config, 1);
  ASSERT_TRUE(second.trainer->SetState(*std::move(state)).ok());
  for (int step = 0; step < 2; ++step) {
    ASSERT_TRUE(second.trainer->Step(nullptr, std::vector<uint32_t>(config.slots, 0), 0).ok());
  }
  ExpectSameState(second.trainer->state(), through->trainer->state());
  EXPECT_EQ(std::memcmp(second.trainer->model_weights(), through->trainer->model_weights(),
                        ParameterLayout(config.spec).floats() * sizeof(float)),
            0);
  EXPECT_FALSE(ReadState(**file, ParameterLayout(config.spec), {}).ok());
}

TEST(LoraJob, NeedsItsBaseModel) {
  const TrainingConfig config = SmallLora();
  Rank rank(config, 1);
  const auto refusal = [&](const TrainingConfig& c, AlignedBuffer<float> base) {
    const auto slots = std::make_shared<SlotLoader>(*SlotLoader::Create(
        testing::SmallTokens(c.spec.vocab),
        {.context = c.context, .sequences_per_step = c.sequences_per_step, .slots = c.slots, .seed = 3}));
    return std::string(RankTrainer::Create({.config = c,
                                            .slots = slots,
                                            .state = InitialState(c.spec, ParameterLayout::OfJob(c), 1),
                                            .base = std::move(base)},
                                           rank.pool)
                           .status()
                           .message());
  };
  EXPECT_EQ(refusal(config, BaseWeights(config)), "");
  EXPECT_THAT(refusal(config, {}), HasSubstr("base model of 0 values"));
  EXPECT_THAT(refusal(SmallConfig(), BaseWeights(config)), HasSubstr("0 are needed"));
}

}  // namespace
}  // namespace enigma::engine
