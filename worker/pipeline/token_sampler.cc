#include "worker/pipeline/token_sampler.h"

#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "worker/pipeline/sampling_params.h"

namespace enigma::worker {

absl::Status TokenSampler::Open(const v1::OpenSequence& open) {
  engine::SamplingParams params = FromProto(open.sampling());
  ENIGMA_RETURN_IF_ERROR(engine::CheckSamplingParams(params, vocab_));
  const std::vector<engine::TokenId> prompt(open.prompt().begin(), open.prompt().end());
  Sequence sequence;
  sequence.epoch = open.epoch();
  sequence.tokens_left = params.max_tokens;
  sequence.ignore_eos = params.ignore_eos;
  if (!params.stop.empty()) {
    sequence.detokenizer = std::make_unique<engine::Detokenizer>(tokenizer_, /*continuation=*/true);
    sequence.stops.emplace(params.stop);
  }
  sequence.sampler = std::make_unique<engine::Sampler>(std::move(params), prompt, open.choice());
  sequences_[open.sequence()] = std::move(sequence);
  return absl::OkStatus();
}

absl::StatusOr<SampledToken> TokenSampler::Sample(uint64_t sequence_id, uint32_t position,
                                                  std::span<const float> logits, v1::TokenEvent& event) {
  const auto found = sequences_.find(sequence_id);
  if (found == sequences_.end()) {
    return absl::FailedPreconditionError(absl::StrCat("sequence ", sequence_id, " was never opened on the last stage"));
  }
  Sequence& sequence = found->second;
  const engine::Sampler::Choice choice = sequence.sampler->Sample(logits, position);
  sequence.sampler->Accept(choice.id);

  const char* reason = FinishReason(sequence, choice.id, position);
  event.set_sequence(sequence_id);
  event.set_epoch(sequence.epoch);
  event.set_position(position);
  event.set_id(choice.id);
  event.set_has_token(true);
  event.set_logprob(choice.logprob);
  event.set_end_token(tokenizer_.IsEndOfGeneration(choice.id));
  event.set_finish_reason(reason);
  for (const auto& [id, logprob] : choice.top) {
    v1::TokenLogprob* top = event.add_top();
    top->set_id(id);
    top->set_logprob(logprob);
  }
  const SampledToken token{.sequence = sequence_id, .position = position, .id = choice.id, .finished = *reason != '\0'};
  if (token.finished) sequences_.erase(found);
  return token;
}

const char* TokenSampler::FinishReason(Sequence& sequence, int32_t id, uint32_t position) const {
  if (sequence.tokens_left > 0) --sequence.tokens_left;
  if (!sequence.ignore_eos && tokenizer_.IsEndOfGeneration(id)) return "stop";
  if (sequence.stops && sequence.stops->Add(sequence.detokenizer->Add(id)).stopped) return "stop";
  if (sequence.tokens_left == 0 || position + 1 >= context_) return "length";
  return "";
}

}  // namespace enigma::worker
