#include "worker/pipeline/token_sampler.h"

#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/given_row.h"
#include "worker/pipeline/label_question.h"
#include "worker/pipeline/sampling_params.h"

namespace enigma::worker {

void TokenSampler::Open(const v1::OpenSequence& open) {
  Sequence sequence;
  sequence.epoch = open.epoch();
  sequence.status = Start(open, sequence);
  sequences_[open.sequence()] = std::move(sequence);
}

absl::Status TokenSampler::Start(const v1::OpenSequence& open, Sequence& sequence) {
  if (open.has_labels()) {
    // It may have come in a peer's frame, from a stage that did not look.
    ENIGMA_RETURN_IF_ERROR(CheckLabelQuestion(open, vocab_));
    sequence.labels = open.labels();
    return absl::OkStatus();
  }
  engine::SamplingParams params = FromProto(open.sampling());
  if (open.constrained()) {
    params.constraint = constraints_.Take(open.sequence());
    if (params.constraint == nullptr) {
      return absl::AbortedError("the compiled schema of this output is not on the last stage any more; try again");
    }
  }
  ENIGMA_RETURN_IF_ERROR(engine::CheckSamplingParams(params, vocab_));
  std::vector<engine::TokenId> prompt(open.prompt().begin(), open.prompt().end());
  std::erase(prompt, engine::kGivenRow);
  sequence.tokens_left = params.max_tokens;
  sequence.ignore_eos = params.ignore_eos;
  if (!params.stop.empty()) {
    sequence.detokenizer = std::make_unique<engine::Detokenizer>(tokenizer_, /*continuation=*/true);
    sequence.stops.emplace(params.stop);
  }
  sequence.sampler = std::make_unique<engine::Sampler>(std::move(params), prompt, open.choice());
  return absl::OkStatus();
}

void TokenSampler::Close(uint64_t sequence) {
  sequences_.erase(sequence);
  constraints_.Drop(sequence);
}

absl::StatusOr<SampledToken> TokenSampler::Sample(uint64_t sequence_id, uint32_t position,
                                                  std::span<const float> logits, v1::TokenEvent& event) {
  const auto found = sequences_.find(sequence_id);
  if (found == sequences_.end()) {
    return absl::FailedPreconditionError(absl::StrCat("sequence ", sequence_id, " was never opened on the last stage"));
  }
  Sequence& sequence = found->second;
  event.set_sequence(sequence_id);
  event.set_epoch(sequence.epoch);
  event.set_position(position);
  if (sequence.status.ok()) Choose(sequence, position, logits, event);
  if (!sequence.status.ok()) {
    event.set_error_code(static_cast<uint32_t>(sequence.status.code()));
    event.set_error(std::string(sequence.status.message()));
  }
  const bool finished = !event.has_token() || !event.finish_reason().empty();
  if (finished) sequences_.erase(found);
  return SampledToken{
      .sequence = sequence_id, .position = position, .id = event.has_token() ? event.id() : -1, .finished = finished};
}

void TokenSampler::Choose(Sequence& sequence, uint32_t position, std::span<const float> logits,
                          v1::TokenEvent& event) const {
  if (sequence.labels) {
    sequence.status = WeighLabels(*sequence.labels, logits, event);
    return;
  }
  const engine::Sampler::Choice choice = sequence.sampler->Sample(logits, position);
  sequence.sampler->Accept(choice.id);
  if (const absl::Status& kept = sequence.sampler->constraint_status(); !kept.ok()) {
    // Whatever it is, the request asked for it: another try would end alike.
    sequence.status = absl::InvalidArgumentError(
        absl::StrCat("the output cannot be continued as its JSON schema asks: ", kept.message()));
    return;
  }
  event.set_id(choice.id);
  event.set_has_token(true);
  event.set_logprob(choice.logprob);
  event.set_end_token(tokenizer_.IsEndOfGeneration(choice.id));
  event.set_finish_reason(FinishReason(sequence, choice.id, position));
  for (const auto& [id, logprob] : choice.top) {
    v1::TokenLogprob* top = event.add_top();
    top->set_id(id);
    top->set_logprob(logprob);
  }
}

absl::Status TokenSampler::WeighLabels(const v1::LabelQuestion& labels, std::span<const float> logits,
                                       v1::TokenEvent& event) {
  ENIGMA_ASSIGN_OR_RETURN(const engine::LabelScores scores, AnswerLabelQuestion(labels, logits));
  event.mutable_label_probabilities()->Add(scores.probabilities.begin(), scores.probabilities.end());
  event.set_finish_reason("stop");
  return absl::OkStatus();
}

const char* TokenSampler::FinishReason(Sequence& sequence, int32_t id, uint32_t position) const {
  if (sequence.tokens_left > 0) --sequence.tokens_left;
  if (!sequence.ignore_eos && tokenizer_.IsEndOfGeneration(id)) return "stop";
  if (sequence.stops && sequence.stops->Add(sequence.detokenizer->Add(id)).stopped) return "stop";
  if (sequence.sampler->Finished()) return "stop";
  if (sequence.tokens_left == 0 || position + 1 >= context_) return "length";
  return "";
}

}  // namespace enigma::worker
