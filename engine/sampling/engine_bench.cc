#include "engine/sampling/engine_bench.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "engine/kv_cache/block_table.h"
#include "engine/model/stage.h"
#include "engine/sampling/candidates.h"
#include "engine/tensor/thread_pool.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {
namespace {

// One sequence on one stage with all layers.
class BenchSequence {
 public:
  BenchSequence(Stage& stage, uint32_t tokens, uint32_t batch_rows) : stage_(stage), batch_rows_(batch_rows) {
    blocks_.resize(BlocksFor(tokens));
    std::iota(blocks_.begin(), blocks_.end(), 0U);
  }

  absl::Status Prefill(const std::vector<TokenId>& prompt) {
    for (size_t begin = 0; begin < prompt.size(); begin += batch_rows_) {
      const size_t end = std::min(prompt.size(), begin + batch_rows_);
      const std::vector<TokenId> chunk(prompt.begin() + static_cast<ptrdiff_t>(begin),
                                       prompt.begin() + static_cast<ptrdiff_t>(end));
      ENIGMA_RETURN_IF_ERROR(Step(chunk, static_cast<uint32_t>(begin), end == prompt.size()).status());
    }
    return absl::OkStatus();
  }

  absl::Status Decode(uint32_t tokens) {
    TokenId token = 0;
    for (uint32_t position = 0; position < tokens; ++position) {
      ENIGMA_ASSIGN_OR_RETURN(const Stage::Output output, Step({token}, position, true));
      token = Argmax(output.logits);
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<Stage::Output> Step(std::vector<TokenId> tokens, uint32_t first, bool logits) {
    Batch batch;
    batch.runs.push_back(
        {.first = first, .count = static_cast<uint32_t>(tokens.size()), .blocks = blocks_, .logits = logits});
    batch.tokens = std::move(tokens);
    return stage_.Forward(batch);
  }

  Stage& stage_;
  const size_t batch_rows_;
  std::vector<uint32_t> blocks_;
};

// Seconds of each repetition but the first, which warms caches and page tables.
template <typename Body>
absl::StatusOr<std::vector<double>> Repeat(const EngineBenchOptions& options, const Body& body) {
  std::vector<double> seconds;
  for (uint32_t i = 0; i <= options.repetitions; ++i) {
    const absl::Duration start = options.clock->Monotonic();
    ENIGMA_RETURN_IF_ERROR(body());
    if (i > 0) seconds.push_back(absl::ToDoubleSeconds(options.clock->Monotonic() - start));
  }
  return seconds;
}

std::vector<double> Rates(uint32_t tokens, const std::vector<double>& seconds) {
  std::vector<double> rates;
  for (const double s : seconds) rates.push_back(tokens / s);
  return rates;
}

std::vector<TokenId> RandomPrompt(uint32_t tokens, uint32_t vocab) {
  std::vector<TokenId> prompt;
  for (uint32_t i = 0; i < tokens; ++i) prompt.push_back(static_cast<TokenId>(CounterUniform(1, 0, i) * vocab));
  return prompt;
}

absl::Status CheckOptions(const EngineBenchOptions& options, uint32_t context) {
  const uint32_t tokens = std::max(options.prompt_tokens, options.generated_tokens);
  if (tokens == 0 || options.repetitions == 0 || options.threads < 1 || options.batch_rows == 0) {
    return absl::InvalidArgumentError("bench: tokens, repetitions, threads and batch rows must be at least 1");
  }
  if (tokens > context) {
    return absl::InvalidArgumentError(absl::StrCat("bench: ", tokens, " tokens do not fit the context of ", context));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EngineBenchResult> RunEngineBench(const std::string& path, const EngineBenchOptions& options) {
  const absl::Duration start = options.clock->Monotonic();
  ENIGMA_ASSIGN_OR_RETURN(const auto weights, OpenGgufWeights(path));
  ENIGMA_ASSIGN_OR_RETURN(const ModelSpec spec, ModelSpecFromGguf(weights->head()));
  ENIGMA_RETURN_IF_ERROR(CheckOptions(options, spec.context));
  const uint32_t tokens = std::max(options.prompt_tokens, options.generated_tokens);
  ThreadPool pool(options.threads);
  ENIGMA_ASSIGN_OR_RETURN(const auto stage, Stage::Create(*weights,
                                                          {.first_layer = 0,
                                                           .last_layer = 0,
                                                           .kv_blocks = BlocksFor(tokens),
                                                           .context = tokens,
                                                           .kv_type = DefaultKvType(weights->head()),
                                                           .max_rows = std::min(options.batch_rows, tokens),
                                                           .max_logit_rows = 1},
                                                          pool));
  EngineBenchResult result;
  result.model = spec.name;
  result.weight_bytes = stage->weight_bytes();
  result.load_seconds = absl::ToDoubleSeconds(options.clock->Monotonic() - start);
  BenchSequence sequence(*stage, tokens, options.batch_rows);
  if (options.prompt_tokens > 0) {
    const std::vector<TokenId> prompt = RandomPrompt(options.prompt_tokens, spec.vocab);
    ENIGMA_ASSIGN_OR_RETURN(const auto seconds, Repeat(options, [&] { return sequence.Prefill(prompt); }));
    result.prefill_tps = Rates(options.prompt_tokens, seconds);
  }
  if (options.generated_tokens > 0) {
    ENIGMA_ASSIGN_OR_RETURN(const auto seconds,
                            Repeat(options, [&] { return sequence.Decode(options.generated_tokens); }));
    result.decode_tps = Rates(options.generated_tokens, seconds);
  }
  return result;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace enigma::engine
