#include "worker/pipeline/state_pooler.h"

#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::worker {

absl::Status StatePooler::Open(const v1::OpenSequence& open) {
  if (open.pooling() == v1::POOLING_NONE) return absl::OkStatus();
  if (open.pooling() != v1::POOLING_MEAN && open.pooling() != v1::POOLING_LAST) {
    return absl::InvalidArgumentError(absl::StrCat("pooling ", static_cast<int>(open.pooling()), " is unknown"));
  }
  const auto pooling = open.pooling() == v1::POOLING_LAST ? engine::Pooling::kLast : engine::Pooling::kMean;
  sequences_.insert_or_assign(open.sequence(),
                              Sequence{open.epoch(), {pooling, static_cast<uint32_t>(open.prompt_size()), hidden_}});
  return absl::OkStatus();
}

std::optional<uint32_t> StatePooler::Wants(const PlannedRun& run) const {
  const auto found = sequences_.find(run.sequence);
  if (found == sequences_.end()) return std::nullopt;
  return found->second.pool.Wants(run.first, run.count);
}

absl::StatusOr<std::optional<SampledToken>> StatePooler::Add(const PlannedRun& run, std::span<const float> states,
                                                             v1::TokenEvent& event) {
  const auto found = sequences_.find(run.sequence);
  if (found == sequences_.end()) {
    return absl::FailedPreconditionError(absl::StrCat("sequence ", run.sequence, " wants no embedding"));
  }
  Sequence& sequence = found->second;
  ENIGMA_RETURN_IF_ERROR(sequence.pool.Add(run.first, run.count, states));
  if (sequence.pool.complete() != run.logits) {
    return absl::InvalidArgumentError(
        absl::StrCat("sequence ", run.sequence, ": its embedding is due after its last token, and only then"));
  }
  if (!run.logits) return std::nullopt;
  const std::vector<float> embedding = sequence.pool.Embedding();
  event.set_sequence(run.sequence);
  event.set_epoch(sequence.epoch);
  event.set_position(run.first + run.count);
  event.mutable_embedding()->Add(embedding.begin(), embedding.end());
  event.set_finish_reason("stop");
  sequences_.erase(found);
  return SampledToken{.sequence = run.sequence, .position = run.first + run.count, .id = -1, .finished = true};
}

}  // namespace enigma::worker
