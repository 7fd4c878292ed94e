#include "engine/spec/training_config.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/spec/lora_targets.h"
#include "engine/spec/slot_shares.h"
#include "engine/spec/training_memory.h"
#include "engine/spec/training_presets.h"

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TrainingConfig SoundConfig() {
  TrainingConfig config;
  config.spec = SpecOfPreset(*FindTrainingPreset("nano"), 512, 256, true);
  config.steps = 100;
  return config;
}

TEST(TrainingPresets, HaveTheSizesTheyAreSaidToHave) {
  const auto millions = [](const char* name, uint32_t vocab) {
    return static_cast<double>(ParameterCount(SpecOfPreset(*FindTrainingPreset(name), vocab, 256, true))) / 1e6;
  };
  EXPECT_NEAR(millions("nano", 512), 0.87, 0.02);
  EXPECT_NEAR(millions("micro", 2048), 1.9, 0.1);
  EXPECT_NEAR(millions("tiny", 1024), 5.1, 0.1);
  EXPECT_NEAR(millions("small", 8192), 29.5, 0.1);
  EXPECT_NEAR(millions("medium", 8192), 91, 1);
  EXPECT_NEAR(millions("large", 8192), 214, 2);
  EXPECT_NEAR(millions("xl", 8192), 617, 5);
  EXPECT_NEAR(millions("xxl", 32768), 1510, 20);
  EXPECT_NEAR(millions("omega", 128256), 69500, 500);
}

TEST(TrainingPresets, SuitQuantisedBlocksAndSaySoOfUnknownNames) {
  for (const TrainingPreset& preset : TrainingPresets()) {
    EXPECT_EQ(preset.hidden % 32, 0) << preset.name;
    EXPECT_EQ(preset.ffn % 32, 0) << preset.name;
    EXPECT_EQ(preset.hidden % preset.heads, 0) << preset.name;
    EXPECT_EQ(preset.hidden / preset.heads % 16, 0) << preset.name;
    EXPECT_EQ(preset.heads % preset.kv_heads, 0) << preset.name;
  }
  EXPECT_THAT(std::string(FindTrainingPreset("huge").status().message()), HasSubstr("nano, micro, tiny"));
}

TEST(TrainingPresets, CountOperationsAsTheFormulaSays) {
  const ModelSpec spec = SpecOfPreset(*FindTrainingPreset("tiny"), 1024, 256, true);
  EXPECT_DOUBLE_EQ(TrainingFlopsPerToken(spec, 256),
                   6.0 * static_cast<double>(ParameterCount(spec)) + 6.0 * 6 * 256 * 256);
  const ModelSpec untied = SpecOfPreset(*FindTrainingPreset("tiny"), 1024, 256, false);
  EXPECT_DOUBLE_EQ(TrainingFlopsPerToken(untied, 256), TrainingFlopsPerToken(spec, 256));
}

TEST(TrainingConfig, ChecksNameTheFieldAndItsRange) {
  EXPECT_TRUE(CheckTrainingConfig(SoundConfig()).ok());
  const auto error = [](auto change) {
    TrainingConfig config = SoundConfig();
    change(config);
    return std::string(CheckTrainingConfig(config).message());
  };
  EXPECT_THAT(error([](auto& c) { c.steps = 0; }), HasSubstr("steps is 0"));
  EXPECT_THAT(error([](auto& c) { c.slots = 33; }), HasSubstr("slots is 33, and must be from 1 to sequences_per_step"));
  EXPECT_THAT(error([](auto& c) { c.learning_rate = 0.0 / 0.0; }), HasSubstr("learning_rate"));
  EXPECT_THAT(error([](auto& c) { c.context = 257; }), HasSubstr("at most the model's own 256"));
  EXPECT_THAT(error([](auto& c) { c.spec.kv_heads = 3; }), HasSubstr("heads a multiple"));
  EXPECT_THAT(error([](auto& c) { c.lora.rank = 8; }), HasSubstr("base model"));
  const auto lora_error = [&](auto change) {
    return error([&](auto& c) {
      c.base_model = "base";
      c.lora = {.rank = 8, .alpha = 16, .targets = {"attn_q"}};
      change(c.lora);
    });
  };
  EXPECT_EQ(lora_error([](auto&) {}), "");
  EXPECT_THAT(lora_error([](auto& lora) { lora.targets.clear(); }), HasSubstr("targets is empty"));
  EXPECT_THAT(lora_error([](auto& lora) { lora.targets.push_back("attn_norm"); }), HasSubstr("no target 'attn_norm'"));
  EXPECT_THAT(lora_error([](auto& lora) { lora.alpha = 0; }), HasSubstr("lora.alpha is 0"));
}

TEST(TrainingConfig, WarnsOfWhatIsSeldomMeant) {
  EXPECT_TRUE(TrainingWarnings(SoundConfig()).empty());
  TrainingConfig config = SoundConfig();
  config.learning_rate = 0.02;
  config.warmup_steps = 100;
  ASSERT_EQ(TrainingWarnings(config).size(), 2U);
  EXPECT_THAT(TrainingWarnings(config)[0], HasSubstr("above 0.01"));
  config.steps = 0;
  EXPECT_EQ(TrainingWarnings(config).size(), 1U) << "of how many steps is not known";
}

TEST(TrainingConfig, SurvivesJson) {
  TrainingConfig config = SoundConfig();
  config.spec.qk_norm = true;
  config.spec.layers[1] = {.attention = AttentionKind::kWindowed, .window = 64};
  config.spec.rope.pairing = RopePairing::kHalves;
  config.spec.rope.scaling = RopeScaling::kLlama3;
  config.spec.rope.frequency_factors = {1.0F, 0.3F};
  config.base_model = "other";
  config.lora = {.rank = 4, .alpha = 8, .targets = {"attn_q"}};
  config.learning_rate = 0.1 + 0.2;
  config.schedule = LearningRateSchedule::kLinear;
  config.seed = ~uint64_t{0};
  config.token_dropout = 0.25;
  const std::string json = TrainingConfigToJson(config);
  const absl::StatusOr<TrainingConfig> read = TrainingConfigFromJson(json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(TrainingConfigToJson(*read), json);
  EXPECT_EQ(read->spec.layers[1].window, 64U);
  EXPECT_EQ(read->spec.rope.scaling, RopeScaling::kLlama3);
  EXPECT_EQ(read->learning_rate, 0.1 + 0.2);
  EXPECT_EQ(read->seed, ~uint64_t{0});
  EXPECT_EQ(read->token_dropout, 0.25);
}

TEST(TrainingConfig, PrecisionIsPartOfTheJson) {
  TrainingConfig config = SoundConfig();
  const std::string f32 = TrainingConfigToJson(config);
  config.precision = ProductPrecision::kBf16;
  std::string json = TrainingConfigToJson(config);
  EXPECT_NE(json, f32);
  const absl::StatusOr<TrainingConfig> read = TrainingConfigFromJson(json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->precision, ProductPrecision::kBf16);
  const std::string field = "\"precision\":\"bf16\",";
  ASSERT_THAT(json, HasSubstr(field));
  std::string unknown = json;
  unknown.replace(unknown.find(field), field.size(), "\"precision\":\"f16\",");
  EXPECT_THAT(std::string(TrainingConfigFromJson(unknown).status().message()),
              HasSubstr("precision: is none of the known names"));
  json.erase(json.find(field), field.size());  // as configurations were before there was a choice
  ASSERT_TRUE(TrainingConfigFromJson(json).ok());
  EXPECT_EQ(TrainingConfigFromJson(json)->precision, ProductPrecision::kF32);
}

// A program from before there was token dropout refuses what it would compute otherwise, and takes all else.
TEST(TrainingConfig, TokenDropoutIsAFormatOfItsOwn) {
  TrainingConfig config = SoundConfig();
  std::string json = TrainingConfigToJson(config);
  EXPECT_THAT(json, HasSubstr("\"format\":1,"));
  const std::string field = ",\"token_dropout\":0.0";
  ASSERT_THAT(json, HasSubstr(field));
  json.erase(json.find(field), field.size());
  ASSERT_TRUE(TrainingConfigFromJson(json).ok());
  EXPECT_EQ(TrainingConfigFromJson(json)->token_dropout, 0);
  config.token_dropout = 0.1;
  EXPECT_THAT(TrainingConfigToJson(config), HasSubstr("\"format\":2,"));
}

TEST(TrainingConfig, RefusesJsonThatIsNotOne) {
  EXPECT_FALSE(TrainingConfigFromJson("").ok());
  EXPECT_FALSE(TrainingConfigFromJson("[]").ok());
  EXPECT_FALSE(TrainingConfigFromJson("{}").ok());
  std::string json = TrainingConfigToJson(SoundConfig());
  json.replace(json.find("\"steps\":100"), 11, "\"steps\":-1 ");
  EXPECT_THAT(std::string(TrainingConfigFromJson(json).status().message()), HasSubstr("steps: must be a whole number"));
}

TEST(TrainingMemory, GrowsWithWhatIsKept) {
  TrainingConfig config = SoundConfig();
  const uint64_t bytes = TrainingMemoryBytes(config);
  EXPECT_GT(bytes, ParameterCount(config.spec) * 40);
  EXPECT_LT(bytes, uint64_t{200} << 20);
  config.recompute = true;
  EXPECT_LT(TrainingMemoryBytes(config), bytes);
  config.recompute = false;
  config.precision = ProductPrecision::kBf16;
  EXPECT_LT(TrainingMemoryBytes(config), bytes - ParameterCount(config.spec) * 4);
  config.precision = ProductPrecision::kF32;
  config.slots = 1;
  EXPECT_GT(TrainingMemoryBytes(config), bytes);
}

TEST(TrainingMemory, SmallModelsLeaveRoomForAThreadsOwnSlot) {
  const auto lane = [](const char* size, uint32_t vocab) {
    TrainingConfig config;
    config.spec = SpecOfPreset(*FindTrainingPreset(size), vocab, 256, true);
    config.context = 256;
    config.sequences_per_step = config.slots = 16;
    return TrainingLaneBytes(config);
  };
  EXPECT_LT(lane("nano", 512), kTrainingLaneBytesMax);
  EXPECT_LT(lane("tiny", 1024), kTrainingLaneBytesMax);
  EXPECT_GT(lane("small", 8192), kTrainingLaneBytesMax);
}

TEST(TrainingMemory, OfLoraIsLessThanOfTheWholeModel) {
  TrainingConfig config = SoundConfig();
  const uint64_t whole = TrainingMemoryBytes(config);
  config.base_model = "base";
  config.lora = {.rank = 2, .alpha = 16, .targets = {"attn_q", "attn_v", "attn_q"}};
  const uint64_t hidden = config.spec.hidden;
  const uint64_t kv = uint64_t{config.spec.kv_heads} * config.spec.head_dim;
  EXPECT_EQ(TrainedParameterCount(config), config.spec.layer_count() * 2 * (hidden + hidden + hidden + kv));
  EXPECT_LT(TrainingMemoryBytes(config), whole);
  EXPECT_GT(TrainingMemoryBytes(config), ParameterCount(config.spec) * 16);
}

TEST(ShareOutSlots, FollowsSpeedsAndLeavesHeldSlotsWithTheirHolders) {
  EXPECT_THAT(ShareOutSlots(6, std::vector<double>{1, 1, 1}), ElementsAre(0, 0, 1, 1, 2, 2));
  EXPECT_THAT(ShareOutSlots(6, std::vector<double>{2, 1}), ElementsAre(0, 0, 0, 0, 1, 1));
  EXPECT_THAT(ShareOutSlots(3, std::vector<double>{1, 100}), ElementsAre(1, 1, 1));
  EXPECT_THAT(ShareOutSlots(5, std::vector<double>{1, 1}, {{3}, {0, 1}}), ElementsAre(1, 1, 0, 0, 1));
}

}  // namespace
}  // namespace enigma::engine
