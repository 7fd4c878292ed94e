#include "coordinator/jobs/job_options.h"

#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/jobs/job_estimate.h"
#include "coordinator/jobs/left_out.h"
#include "engine/spec/training_presets.h"
#include "engine/spec/vision_spec.h"

namespace enigma::coordinator {
namespace {

using enigma::v1::TrainingOptions;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

TrainingOptions Nano() {
  TrainingOptions options;
  options.set_model("m");
  options.set_size("nano");
  return options;
}

TEST(JobOptionsTest, WhatIsNotSetComesFromTheSize) {
  const TrainingOptions options = Nano();
  ASSERT_TRUE(CheckJobOptions(options).ok());
  const auto config = ResolveOptions(options, 512, nullptr);
  ASSERT_TRUE(config.ok()) << config.status();
  const auto preset = engine::FindTrainingPreset("nano");
  EXPECT_EQ(config->spec.hidden, preset->hidden);
  EXPECT_EQ(config->spec.vocab, 512u);
  EXPECT_EQ(config->spec.name, "m");
  EXPECT_EQ(config->context, preset->context);
  EXPECT_EQ(config->learning_rate, preset->learning_rate);
  EXPECT_TRUE(config->spec.tied_embeddings);
  EXPECT_EQ(config->slots, 16u);
  TrainingOptions few = Nano();
  few.set_sequences_per_step(4);
  EXPECT_EQ(ResolveOptions(few, 512, nullptr)->slots, 4u);  // no more than there are sequences
}

TEST(JobOptionsTest, RoutersHaveDefaultsOfTheirOwn) {
  TrainingOptions options = Nano();
  EXPECT_EQ(VocabularyMaxOf(options), 4096u);
  EXPECT_FALSE(CorpusOptionsOf(options).train_on_prompts);
  options.set_task("router");
  EXPECT_EQ(VocabularyMaxOf(options), 2048u);
  EXPECT_EQ(CorpusOptionsOf(options).validation_share, 0.1);
  EXPECT_TRUE(CorpusOptionsOf(options).train_on_prompts);
  auto config = ResolveOptions(options, 512, nullptr);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->sequences_per_step, 8u);
  EXPECT_EQ(config->slots, 8u);
  EXPECT_EQ(config->dropout, 0.1);
  EXPECT_EQ(config->token_dropout, 0.2);
  SetLength(options, 80, *config);
  EXPECT_EQ(config->steps, 260u);
  EXPECT_EQ(config->warmup_steps, 65u);
  options.set_token_dropout(0.5);
  options.set_dropout(0);
  options.set_validation_share(0);
  options.set_train_on_prompts(false);
  config = ResolveOptions(options, 512, nullptr);
  EXPECT_EQ(config->token_dropout, 0.5);
  EXPECT_EQ(config->dropout, 0);
  EXPECT_EQ(CorpusOptionsOf(options).validation_share, 0);
  EXPECT_FALSE(CorpusOptionsOf(options).train_on_prompts);
}

TEST(JobOptionsTest, VisionBringsAnImageEncoder) {
  TrainingOptions options = Nano();
  options.set_task("vision");
  ASSERT_TRUE(CheckJobOptions(options).ok()) << CheckJobOptions(options);
  auto config = ResolveOptions(options, 512, nullptr);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->pictures.encoder.image_size, 64u);
  EXPECT_EQ(config->pictures.encoder.output, config->spec.hidden);
  EXPECT_EQ(config->pictures.encoder.name, "m");
  EXPECT_FALSE(config->pictures.flip);
  EXPECT_EQ(config->pictures.crop_side_min, 1.0F);
  EXPECT_EQ(config->context, 128u);
  EXPECT_EQ(config->sequences_per_step, 16u);
  SetLength(options, 160, *config);
  EXPECT_EQ(config->steps, 100u);
  EXPECT_TRUE(engine::CheckTrainingConfig(*config).ok()) << engine::CheckTrainingConfig(*config);
  const JobEstimate estimate = EstimateJob(*config, {});
  engine::TrainingConfig blind = *config;
  blind.pictures = {};
  const JobEstimate without = EstimateJob(blind, {});
  EXPECT_THAT(estimate.shape, HasSubstr("image encoder: 64 x 64 pixels, 3 convolutions"));
  EXPECT_EQ(estimate.parameters, without.parameters + engine::VisionParameterCount(config->pictures.encoder));
  EXPECT_GT(estimate.memory_bytes, without.memory_bytes + 48 * (estimate.parameters - without.parameters));
  EXPECT_GT(estimate.flops_per_token, without.flops_per_token);
  options.set_image_size(32);
  options.set_flip(true);
  options.set_crop_side(0.5);
  options.set_context(64);
  config = ResolveOptions(options, 512, nullptr);
  EXPECT_EQ(config->pictures.encoder.stem.size(), 2u);
  EXPECT_TRUE(config->pictures.flip);
  EXPECT_EQ(config->pictures.crop_side_min, 0.5F);
  EXPECT_EQ(config->context, 64u);
}

TEST(JobOptionsTest, WhatIsSetCounts) {
  TrainingOptions options = Nano();
  options.set_context(64);
  options.set_learning_rate(0.25);
  options.set_schedule("linear");
  options.set_dropout(0.5);
  options.set_tied(false);
  options.set_ffn(96);
  options.set_seed(7);
  options.set_weight_decay(0);
  options.set_early_stop_validations(3);
  options.set_recompute(true);
  options.set_precision("bf16");
  const auto config = ResolveOptions(options, 512, nullptr);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->context, 64u);
  EXPECT_EQ(config->spec.context, 64u);
  EXPECT_EQ(config->learning_rate, 0.25);
  EXPECT_EQ(config->schedule, engine::LearningRateSchedule::kLinear);
  EXPECT_EQ(config->dropout, 0.5);
  EXPECT_FALSE(config->spec.tied_embeddings);
  EXPECT_EQ(config->spec.ffn, 96u);
  EXPECT_EQ(config->seed, 7u);
  EXPECT_EQ(config->weight_decay, 0);
  EXPECT_EQ(config->early_stop_validations, 3u);
  EXPECT_TRUE(config->recompute);
  EXPECT_EQ(config->precision, engine::ProductPrecision::kBf16);
}

TEST(JobOptionsTest, TheLengthFollowsFromTheData) {
  engine::TrainingConfig config;
  config.sequences_per_step = 10;
  TrainingOptions options = Nano();
  SetLength(options, 101, config);
  EXPECT_EQ(config.steps, 31u);  // three passes, rounded up
  options.set_epochs(0.5);
  SetLength(options, 101, config);
  EXPECT_EQ(config.steps, 6u);
  EXPECT_EQ(config.validate_every, 1u);
  options.clear_epochs();
  options.set_steps(10'000);
  SetLength(options, 101, config);
  EXPECT_EQ(config.steps, 10'000u);
  EXPECT_EQ(config.warmup_steps, 200u);
  EXPECT_EQ(config.validate_every, 500u);
  options.set_warmup_steps(0);
  options.set_validate_every(0);
  SetLength(options, 0, config);
  EXPECT_EQ(config.warmup_steps, 0u);
  EXPECT_EQ(config.validate_every, 0u);
}

TEST(JobOptionsTest, ABaseModelSaysItsShape) {
  engine::ModelSpec base = engine::SpecOfPreset(*engine::FindTrainingPreset("tiny"), 999, 128, true);
  TrainingOptions options;
  options.set_model("m");
  options.set_base_model("base");
  options.set_lora_rank(4);
  ASSERT_TRUE(CheckJobOptions(options).ok());
  const auto config = ResolveOptions(options, 512, &base);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->spec.vocab, 999u);
  EXPECT_EQ(config->context, 128u);  // no more than the model has
  EXPECT_EQ(config->base_model, "base");
  EXPECT_EQ(config->lora.rank, 4u);
  EXPECT_THAT(config->lora.targets, ::testing::ElementsAre("attn_q", "attn_v"));
}

struct WrongCase {
  const char* what;
  std::function<void(TrainingOptions&)> spoil;
};

std::function<void(TrainingOptions&)> Vision(const std::function<void(TrainingOptions&)>& spoil) {
  return [spoil](TrainingOptions& options) {
    options.set_task("vision");
    spoil(options);
  };
}

TEST(JobOptionsTest, WhatMakesNoSenseIsNamed) {
  const std::vector<WrongCase> cases = {
      {"model", [](auto& o) { o.set_model("no name?"); }},
      {"size: name one", [](auto& o) { o.clear_size(); }},
      {"no size is called", [](auto& o) { o.set_size("huge"); }},
      {"size and base_model", [](auto& o) { o.set_base_model("b"); }},
      {"lora", [](auto& o) { o.set_lora_rank(2); }},
      {"lora_alpha",
       [](auto& o) {
         o.clear_size();
         o.set_base_model("b");
         o.set_lora_alpha(8);
       }},
      {"no target 'attn_x'",
       [](auto& o) {
         o.clear_size();
         o.set_base_model("b");
         o.set_lora_rank(2);
         o.add_lora_targets("attn_x");
       }},
      {"tied, ffn",
       [](auto& o) {
         o.clear_size();
         o.set_base_model("b");
         o.set_tied(true);
       }},
      {"steps and epochs",
       [](auto& o) {
         o.set_steps(1);
         o.set_epochs(1);
       }},
      {"epochs: '0'", [](auto& o) { o.set_epochs(0); }},
      {"epochs: 'nan'", [](auto& o) { o.set_epochs(std::nan("")); }},
      {"validation_share: '0.5'", [](auto& o) { o.set_validation_share(0.5); }},
      {"vocab_size: '299'", [](auto& o) { o.set_vocab_size(299); }},
      {"collective", [](auto& o) { o.set_collective("nccl"); }},
      {"keep_checkpoints", [](auto& o) { o.set_keep_checkpoints(0); }},
      {"precision: 'fp8'", [](auto& o) { o.set_precision("fp8"); }},
      {"schedule: 'step'", [](auto& o) { o.set_schedule("step"); }},
      {"format", [](auto& o) { o.set_format("csv"); }},
      {"task", [](auto& o) { o.set_task(std::string(65, 't')); }},
      {"image_size, flip, crop_side", [](auto& o) { o.set_image_size(64); }},
      {"image_size, flip, crop_side", [](auto& o) { o.set_flip(false); }},
      {"image_size: 48 pixels", Vision([](auto& o) { o.set_image_size(48); })},
      {"crop_side: '0'", Vision([](auto& o) { o.set_crop_side(0); })},
      {"crop_side: 'nan'", Vision([](auto& o) { o.set_crop_side(std::nan("")); })},
      {"no image encoder for the size \"xl\"", Vision([](auto& o) { o.set_size("xl"); })},
      {"characters_min (9) is more than characters_max (8)",
       [](auto& o) {
         o.set_characters_min(9);
         o.set_characters_max(8);
       }},
      {"near_duplicate_share must be 0 or from 0.5 to 1, not 0.4", [](auto& o) { o.set_near_duplicate_share(0.4); }},
      {"keep_duplicates, near_duplicate_share",
       [](auto& o) {
         o.set_keep_duplicates(true);
         o.set_near_duplicate_share(0.9);
       }},
      {"captions of pictures", Vision([](auto& o) { o.set_quality_filter(false); })},
      {"the texts of a router",
       [](auto& o) {
         o.set_task("router");
         o.set_characters_max(100);
       }},
      {"format, train_on_prompts", Vision([](auto& o) { o.set_format("jsonl"); })},
      {"format, train_on_prompts", Vision([](auto& o) { o.set_train_on_prompts(true); })},
      {"base_model: an image encoder", Vision([](auto& o) {
         o.clear_size();
         o.set_base_model("b");
       })},
  };
  for (const WrongCase& given : cases) {
    TrainingOptions options = Nano();
    given.spoil(options);
    const absl::Status checked = CheckJobOptions(options);
    EXPECT_TRUE(absl::IsInvalidArgument(checked)) << given.what;
    EXPECT_THAT(std::string(checked.message()), HasSubstr(given.what));
  }
}

TEST(JobOptionsTest, FiltersAreThoseThatWereAskedFor) {
  TrainingOptions options = Nano();
  EXPECT_TRUE(CorpusOptionsOf(options).filters.quality);
  EXPECT_EQ(CorpusOptionsOf(options).filters.characters_max, 0u);
  options.set_characters_min(3);
  options.set_characters_max(500);
  options.set_quality_filter(false);
  options.set_near_duplicate_share(0.7);
  EXPECT_TRUE(CheckJobOptions(options).ok());
  const engine::FilterOptions asked = CorpusOptionsOf(options).filters;
  EXPECT_EQ(asked.characters_min, 3u);
  EXPECT_EQ(asked.characters_max, 500u);
  EXPECT_FALSE(asked.quality);
  EXPECT_EQ(asked.near_duplicate_share, 0.7);
  EXPECT_TRUE(asked.exact_duplicates);
  options.clear_near_duplicate_share();
  options.set_keep_duplicates(true);
  EXPECT_FALSE(CorpusOptionsOf(options).filters.exact_duplicates);
  EXPECT_EQ(CorpusOptionsOf(options).filters.near_duplicate_share, 0);
}

TEST(JobEstimateTest, MoreWorkersShareTheWorkAndTheWire) {
  engine::TrainingConfig config = *ResolveOptions(Nano(), 4096, nullptr);
  config.steps = 100;
  EXPECT_EQ(EstimateJob(config, {}).tokens_per_second, 0);  // nobody is there
  const JobEstimate one = EstimateJob(config, {.flops_per_second = {1e11}, .slowest_link = {}});
  const JobEstimate two = EstimateJob(config, {.flops_per_second = {1e11, 1e11}, .slowest_link = {1e-4, 1e9}});
  const JobEstimate far = EstimateJob(config, {.flops_per_second = {1e11, 1e11}, .slowest_link = {1e-2, 1e6}});
  EXPECT_EQ(one.wire_share, 0);
  EXPECT_GT(two.tokens_per_second, 1.5 * one.tokens_per_second);
  EXPECT_LT(two.tokens_per_second, 2 * one.tokens_per_second);
  EXPECT_GT(far.wire_share, kWireShareMax);
  EXPECT_THAT(far.warnings, Contains(HasSubstr("exchange of gradients between 2 workers")));
  EXPECT_THAT(two.warnings, Not(Contains(HasSubstr("exchange of gradients"))));
  EXPECT_NEAR(one.seconds, 100 * one.step_seconds, 1e-9);
  config.recompute = true;
  const JobEstimate twice = EstimateJob(config, {.flops_per_second = {1e11}, .slowest_link = {}});
  EXPECT_NEAR(twice.step_seconds, one.step_seconds * 4 / 3, 1e-9);
}

TEST(LeftOutTest, LongerAndLongerUntilItServes) {
  LeftOut left_out({.first = absl::Seconds(1), .most = absl::Seconds(5), .healthy = absl::Seconds(60)});
  const absl::Duration now = absl::Seconds(100);
  EXPECT_EQ(left_out.Until("a"), absl::ZeroDuration());
  std::vector<int64_t> pauses;
  for (int i = 0; i < 5; ++i) {
    left_out.Trouble("a", "node a is ill", now);
    pauses.push_back(absl::ToInt64Seconds(left_out.Until("a") - now));
  }
  EXPECT_THAT(pauses, ::testing::ElementsAre(1, 2, 4, 5, 5));
  EXPECT_EQ(left_out.Why(now), "node a is ill");
  EXPECT_EQ(left_out.Why(now + absl::Seconds(5)), "");
  left_out.Serves("a", absl::Seconds(59));
  left_out.Trouble("a", "again", now);
  EXPECT_EQ(left_out.Until("a") - now, absl::Seconds(5));
  left_out.Serves("a", absl::Seconds(60));
  left_out.Trouble("a", "again", now);
  EXPECT_EQ(left_out.Until("a") - now, absl::Seconds(1));
}

TEST(TokenizerOptionsTest, OneIsTrainedOfBytePairsOrOfCharacters) {
  enigma::v1::TrainingOptions options;
  options.set_model("m");
  options.set_size("nano");
  EXPECT_EQ(TokenizerKindOf(options), engine::TokenizerKind::kBytePair);
  EXPECT_EQ(VocabularyMaxOf(options), 4096u);
  options.set_tokenizer_kind("chars");
  EXPECT_TRUE(CheckJobOptions(options).ok());
  EXPECT_EQ(TokenizerKindOf(options), engine::TokenizerKind::kCharacter);
  EXPECT_GT(VocabularyMaxOf(options), 1'000'000u) << "as many as there are";
  options.set_vocab_size(500);
  EXPECT_EQ(VocabularyMaxOf(options), 500u);
  options.set_tokenizer_kind("words");
  EXPECT_THAT(std::string(CheckJobOptions(options).message()), HasSubstr("tokenizer_kind: 'words' is none"));
  options.set_tokenizer_kind("bpe");
  EXPECT_TRUE(CheckJobOptions(options).ok());
  options.clear_size();
  options.set_base_model("base");
  EXPECT_THAT(std::string(CheckJobOptions(options).message()), HasSubstr("has a tokenizer of its own"));
}

}  // namespace
}  // namespace enigma::coordinator
