#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/spec/training_presets.h"
#include "engine/training/rank_trainer.h"

namespace enigma::engine::testing {

// Small jobs, and ranks that do them in this process.

inline TrainingConfig SmallConfig() {
  TrainingConfig config;
  TrainingPreset preset = *FindTrainingPreset("pi_zero");
  preset.layers = 2;
  preset.hidden = 32;
  preset.heads = preset.kv_heads = 2;
  preset.ffn = 64;
  config.spec = SpecOfPreset(preset, 61, 32, true);
  config.steps = 12;
  config.context = 24;
  config.sequences_per_step = 7;
  config.slots = 7;
  config.learning_rate = 5e-3;
  config.warmup_steps = 2;
  return config;
}

// The same job, but of low-rank factors alone; of all targets, unless fewer are named.
inline TrainingConfig SmallLora(std::vector<std::string> targets = {"attn_q", "attn_k", "attn_v", "attn_output",
                                                                    "ffn_gate", "ffn_up", "ffn_down"}) {
  TrainingConfig config = SmallConfig();
  config.base_model = "base";
  config.lora = {.rank = 3, .alpha = 5, .targets = std::move(targets)};
  return config;
}

// Weights of a model that LoRA adapts: random ones, larger than at a job's start.
inline AlignedBuffer<float> BaseWeights(const TrainingConfig& config) {
  TrainingState state = InitialState(config.spec, ParameterLayout(config.spec), 77);
  for (size_t i = 0; i < state.weights.size(); ++i) state.weights[i] *= 4;
  return std::move(state.weights);
}

// Documents of different lengths, in which a token mostly follows from the one before.
inline std::shared_ptr<const TokenSet> SmallTokens(uint32_t vocab) {
  TokenSetBuilder builder(vocab, Sha256{});
  for (uint32_t document = 0; document < 60; ++document) {
    std::vector<TokenId> ids;
    uint32_t token = document % vocab;
    for (uint32_t i = 0; i < 5 + document * 7 % 40; ++i) {
      ids.push_back(static_cast<TokenId>(token));
      token = (token * 3 + 1 + (i * document % 5 == 0 ? 1 : 0)) % vocab;
    }
    std::vector<uint8_t> trained(ids.size(), 1);
    if (document % 3 == 0) trained[1] = 0;
    const auto part = document % 10 == 9 ? TokenSet::Part::kValidation : TokenSet::Part::kTraining;
    EXPECT_TRUE(builder.Add(part, ids, trained).ok());
  }
  return *builder.Finish();
}

struct Rank {
  Rank(const TrainingConfig& config, int threads) : pool(threads) {
    absl::StatusOr<SlotLoader> loader = SlotLoader::Create(
        SmallTokens(config.spec.vocab),
        {.context = config.context, .sequences_per_step = config.sequences_per_step, .slots = config.slots, .seed = 3});
    EXPECT_TRUE(loader.ok()) << loader.status();
    absl::StatusOr<std::unique_ptr<RankTrainer>> made =
        RankTrainer::Create({.config = config,
                             .slots = std::make_shared<SlotLoader>(*std::move(loader)),
                             .state = InitialState(config.spec, ParameterLayout::OfJob(config), config.seed),
                             .base = config.lora.rank > 0 ? BaseWeights(config) : AlignedBuffer<float>()},
                            pool);
    EXPECT_TRUE(made.ok()) << made.status();
    trainer = *std::move(made);
  }
  ThreadPool pool;
  std::unique_ptr<RankTrainer> trainer;
};

inline void ExpectSameState(const TrainingState& a, const TrainingState& b) {
  ASSERT_EQ(a.weights.size(), b.weights.size());
  const size_t bytes = a.weights.size() * sizeof(float);
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_EQ(a.exponents, b.exponents);
  EXPECT_EQ(std::memcmp(a.weights.data(), b.weights.data(), bytes), 0);
  EXPECT_EQ(std::memcmp(a.first_moments.data(), b.first_moments.data(), bytes), 0);
  EXPECT_EQ(std::memcmp(a.second_moments.data(), b.second_moments.data(), bytes), 0);
}

inline std::unique_ptr<Rank> Alone(const TrainingConfig& config, uint64_t steps) {
  auto rank = std::make_unique<Rank>(config, 2);
  for (uint64_t step = 0; step < steps; ++step) {
    const absl::StatusOr<StepResult> result = rank->trainer->Step(nullptr, std::vector<uint32_t>(config.slots, 0), 0);
    EXPECT_TRUE(result.ok()) << result.status();
  }
  return rank;
}

// Runs `body(rank)` for every rank on a thread of its own.
inline void OnRanks(uint32_t ranks, const std::function<void(uint32_t)>& body) {
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < ranks; ++rank) threads.emplace_back(body, rank);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace enigma::engine::testing
