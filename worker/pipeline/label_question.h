#pragma once

#include <cstdint>
#include <span>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/sampling/label_scorer.h"
#include "proto/worker.pb.h"

namespace enigma::worker {

// Of the question in `open`, which has one: INVALID_ARGUMENT for what the last stage of a model with a vocabulary of
// `vocab` tokens cannot answer.
absl::Status CheckLabelQuestion(const v1::OpenSequence& open, uint32_t vocab);

// How likely the labels of a question are that is sound. `logits`: one per token of the vocabulary. INTERNAL for one of
// a label that is no number.
absl::StatusOr<engine::LabelScores> AnswerLabelQuestion(const v1::LabelQuestion& labels, std::span<const float> logits);

}  // namespace enigma::worker
