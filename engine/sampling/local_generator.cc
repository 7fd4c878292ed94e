#include "engine/sampling/local_generator.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/kv_cache/block_table.h"
#include "engine/sampling/sampler.h"
#include "engine/sampling/text_stream.h"

namespace enigma::engine {
namespace {

// Without a wish, a long-context model does not take gigabytes for its KV cache.
constexpr uint32_t kDefaultContextMax = 4096;

}  // namespace

absl::StatusOr<std::unique_ptr<LocalGenerator>> LocalGenerator::Open(const std::string& path, const Options& options) {
  if (options.threads < 1 || options.prefill_chunk < 1) {
    return absl::InvalidArgumentError("local generation: threads and prefill_chunk must be at least 1");
  }
  auto generator = std::unique_ptr<LocalGenerator>(new LocalGenerator);
  generator->options_ = options;
  ENIGMA_ASSIGN_OR_RETURN(generator->weights_, OpenGgufWeights(path));
  const GgufFile& head = generator->weights_->head();
  ENIGMA_ASSIGN_OR_RETURN(generator->tokenizer_, Tokenizer::FromGguf(head.metadata()));
  ENIGMA_ASSIGN_OR_RETURN(const ModelSpec spec, ModelSpecFromGguf(head));
  const uint32_t context = options.context != 0 ? options.context : std::min(spec.context, kDefaultContextMax);
  generator->pool_ = std::make_unique<ThreadPool>(options.threads);
  ENIGMA_ASSIGN_OR_RETURN(generator->stage_, Stage::Create(*generator->weights_,
                                                           {.first_layer = 0,
                                                            .last_layer = 0,
                                                            .kv_blocks = BlocksFor(context),
                                                            .context = context,
                                                            .kv_type = options.kv_type.value_or(DefaultKvType(head)),
                                                            .max_rows = std::min(options.prefill_chunk, context),
                                                            .max_logit_rows = 1},
                                                           *generator->pool_));
  generator->blocks_.resize(BlocksFor(context));
  std::iota(generator->blocks_.begin(), generator->blocks_.end(), 0U);
  return generator;
}

absl::StatusOr<std::span<const float>> LocalGenerator::Step(std::span<const TokenId> tokens,
                                                            std::span<const float> given, uint32_t first, bool logits) {
  Batch batch;
  batch.tokens.assign(tokens.begin(), tokens.end());
  batch.given = given;
  batch.runs.push_back(
      {.first = first, .count = static_cast<uint32_t>(tokens.size()), .blocks = blocks_, .logits = logits});
  ENIGMA_ASSIGN_OR_RETURN(const Stage::Output output, stage_->Forward(batch));
  return output.logits;
}

absl::StatusOr<std::span<const float>> LocalGenerator::Prefill(const std::vector<TokenId>& prompt,
                                                               std::span<const float> given) {
  std::span<const float> logits;
  const size_t chunk = options_.prefill_chunk;
  const size_t hidden = stage_->spec().hidden;
  const auto given_rows = static_cast<size_t>(std::count(prompt.begin(), prompt.end(), kGivenRow));
  if (given.size() != given_rows * hidden) {
    return absl::InvalidArgumentError(absl::StrCat("the prompt has places for ", given_rows, " rows of ", hidden,
                                                   " values, and ", given.size(), " values are given"));
  }
  for (size_t begin = 0; begin < prompt.size(); begin += chunk) {
    const size_t count = std::min(chunk, prompt.size() - begin);
    const bool last = begin + count == prompt.size();
    const std::span<const TokenId> tokens = std::span(prompt).subspan(begin, count);
    const size_t values = static_cast<size_t>(std::count(tokens.begin(), tokens.end(), kGivenRow)) * hidden;
    ENIGMA_ASSIGN_OR_RETURN(logits, Step(tokens, given.first(values), static_cast<uint32_t>(begin), last));
    given = given.subspan(values);
  }
  return logits;
}

absl::StatusOr<LocalGenerator::Result> LocalGenerator::Generate(std::vector<TokenId> prompt_ids,
                                                                const SamplingParams& params, const OnText& on_text,
                                                                std::span<const float> given) {
  ENIGMA_RETURN_IF_ERROR(CheckSamplingParams(params, stage_->spec().vocab));
  if (prompt_ids.empty()) return absl::InvalidArgumentError("the prompt is empty: give a text or token ids");
  const uint32_t context = stage_->context();
  if (prompt_ids.size() >= context) {
    return absl::InvalidArgumentError(absl::StrCat("the prompt has ", prompt_ids.size(), " tokens, the context is ",
                                                   context, ": no room is left for the ", params.max_tokens,
                                                   " asked for"));
  }
  const auto prompt_size = static_cast<uint32_t>(prompt_ids.size());
  const uint32_t budget = std::min(params.max_tokens, context - prompt_size);

  Result result{.ids = {}, .text = "", .finish_reason = "length", .prompt_ids = std::move(prompt_ids), .timing = {}};
  const Clock& clock = *options_.clock;
  const absl::Duration start = clock.Monotonic();
  ENIGMA_ASSIGN_OR_RETURN(std::span<const float> logits, Prefill(result.prompt_ids, given));
  const absl::Duration prefilled = clock.Monotonic();

  std::vector<TokenId> seen = result.prompt_ids;
  std::erase(seen, kGivenRow);
  Sampler sampler(params, seen);
  TextStream stream(*tokenizer_, params.stop);
  const auto show = [&](std::string text) {
    result.text += text;
    return text.empty() || !on_text || on_text(text);
  };
  bool wanted = true;
  while (true) {
    const auto position = static_cast<uint32_t>(prompt_size + result.ids.size());
    const TokenId id = sampler.Sample(logits, position).id;
    sampler.Accept(id);
    ENIGMA_RETURN_IF_ERROR(sampler.constraint_status());
    result.ids.push_back(id);
    if (tokenizer_->IsEndOfGeneration(id) && !params.ignore_eos) {
      result.finish_reason = "stop";
      break;
    }
    wanted = show(stream.Add(id));
    if (stream.stopped() || !wanted) break;
    if (sampler.Finished()) {
      result.finish_reason = "stop";
      break;
    }
    if (result.ids.size() >= budget) break;
    ENIGMA_ASSIGN_OR_RETURN(logits, Step({&id, 1}, {}, position, true));
  }
  wanted = wanted && show(stream.Finish());
  if (stream.stopped()) result.finish_reason = "stop";
  if (!wanted) result.finish_reason = "cancelled";
  result.timing = {.prefill = prefilled - start, .decode = clock.Monotonic() - prefilled};
  return result;
}

}  // namespace enigma::engine
