#include "worker/pipeline/label_question.h"

#include <cmath>
#include <vector>

#include <absl/strings/str_cat.h>

namespace enigma::worker {
namespace {

constexpr int kLabelsMost = 1024;

}  // namespace

absl::Status CheckLabelQuestion(const v1::OpenSequence& open, uint32_t vocab) {
  const v1::LabelQuestion& labels = open.labels();
  if (open.pooling() != v1::POOLING_NONE || open.constrained()) {
    return absl::InvalidArgumentError("labels go neither with a pooling nor with a schema");
  }
  if (labels.tokens_size() < 2 || labels.tokens_size() > kLabelsMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("labels: 2 to ", kLabelsMost, " tokens, not ", labels.tokens_size()));
  }
  for (const int32_t id : labels.tokens()) {
    if (id >= 0 && static_cast<uint32_t>(id) < vocab) continue;
    return absl::InvalidArgumentError(absl::StrCat("label token ", id, " is not in the vocabulary of ", vocab));
  }
  if (labels.temperature() > 0 && std::isfinite(labels.temperature())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("labels: a temperature of ", labels.temperature(), " is not above 0"));
}

absl::StatusOr<engine::LabelScores> AnswerLabelQuestion(const v1::LabelQuestion& labels,
                                                        std::span<const float> logits) {
  std::vector<float> of_labels;
  of_labels.reserve(static_cast<size_t>(labels.tokens_size()));
  for (const int32_t id : labels.tokens()) {
    of_labels.push_back(logits[static_cast<size_t>(id)]);
    if (!std::isfinite(of_labels.back())) {
      return absl::InternalError(absl::StrCat("the model's logit of label token ", id, " is no number"));
    }
  }
  return engine::ScoreLabels(of_labels, labels.temperature());
}

}  // namespace enigma::worker
