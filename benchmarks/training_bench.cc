// Training steps of one rank alone: tokens per second of a shape on random tokens.
//   training_bench [--precision f32|bf16] SIZE SEQUENCES CONTEXT VOCAB THREADS STEPS [SLOTS] [FFN]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "base/counter_random.h"
#include "engine/corpus/slot_loader.h"
#include "engine/spec/training_presets.h"
#include "engine/training/rank_trainer.h"

namespace {

using namespace enigma::engine;

std::shared_ptr<const TokenSet> RandomTokens(uint32_t vocab, uint32_t context) {
  TokenSetBuilder builder(vocab, Sha256{});
  std::vector<TokenId> ids(size_t{64} * context + 1);
  const std::vector<uint8_t> trained(ids.size(), 1);
  for (uint64_t document = 0; document < 4; ++document) {
    for (size_t i = 0; i < ids.size(); ++i) {
      ids[i] = static_cast<TokenId>(enigma::CounterUniform(1, document, i) * vocab);
    }
    if (!builder.Add(TokenSet::Part::kTraining, ids, trained).ok()) std::abort();
  }
  return *builder.Finish();
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  TrainingConfig config;
  bool understood = true;
  if (argc > 2 && std::string_view(argv[1]) == "--precision") {
    const std::string_view precision = argv[2];
    if (precision == "bf16") config.precision = ProductPrecision::kBf16;
    understood = precision == "bf16" || precision == "f32";
    argc -= 2;
    argv += 2;
  }
  if (argc < 7 || !understood) {
    std::fprintf(stderr,
                 "usage: training_bench [--precision f32|bf16] SIZE SEQUENCES CONTEXT VOCAB THREADS STEPS [SLOTS] "
                 "[FFN]\n");
    return 2;
  }
  const auto number = [&](int i, int fallback) { return argc > i ? std::atoi(argv[i]) : fallback; };
  absl::StatusOr<TrainingPreset> preset = FindTrainingPreset(argv[1]);
  if (!preset.ok()) return Fail(preset.status());
  preset->ffn = static_cast<uint32_t>(number(8, static_cast<int>(preset->ffn)));
  config.sequences_per_step = static_cast<uint32_t>(number(2, 16));
  config.context = static_cast<uint32_t>(number(3, 256));
  config.spec = SpecOfPreset(*preset, static_cast<uint32_t>(number(4, 512)), config.context, true);
  config.slots = static_cast<uint32_t>(number(7, static_cast<int>(config.sequences_per_step)));
  config.steps = 1000;
  config.learning_rate = 3e-4;
  ThreadPool pool(number(5, 1));

  absl::StatusOr<SlotLoader> loader = SlotLoader::Create(
      RandomTokens(config.spec.vocab, config.context),
      {.context = config.context, .sequences_per_step = config.sequences_per_step, .slots = config.slots, .seed = 1});
  if (!loader.ok()) return Fail(loader.status());
  absl::StatusOr<std::unique_ptr<RankTrainer>> trainer =
      RankTrainer::Create({.config = config,
                           .slots = std::make_shared<SlotLoader>(*std::move(loader)),
                           .state = InitialState(config.spec, ParameterLayout(config.spec), 1),
                           .base = {}},
                          pool);
  if (!trainer.ok()) return Fail(trainer.status());

  std::vector<double> seconds;
  double loss = 0;
  double tokens = 0;
  for (int step = 0; step < number(6, 5) + 1; ++step) {
    const auto start = std::chrono::steady_clock::now();
    const absl::StatusOr<StepResult> result = (*trainer)->Step(nullptr, std::vector<uint32_t>(config.slots, 0), 0);
    if (!result.ok()) return Fail(result.status());
    if (step > 0) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    loss = result->loss;
    tokens = static_cast<double>(result->tokens);
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  std::printf(
      "%s%s params=%llu B=%u T=%u threads=%d slots=%u: tok/s median %.0f min %.0f max %.0f | ms/step %.1f | "
      "%.1f GFLOP/s | loss %.3f\n",
      argv[1], config.precision == ProductPrecision::kBf16 ? " bf16" : "",
      static_cast<unsigned long long>(ParameterCount(config.spec)), config.sequences_per_step, config.context,
      pool.threads(), config.slots, tokens / median, tokens / seconds.back(), tokens / seconds.front(), median * 1e3,
      TrainingFlopsPerToken(config.spec, config.context) * tokens / median * 1e-9, loss);
  return 0;
}
