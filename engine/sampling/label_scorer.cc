#include "engine/sampling/label_scorer.h"

#include <algorithm>

#include "engine/kernels/exact_math.h"

namespace enigma::engine {
LabelScores ScoreLabels(std::span<const float> label_logits, double temperature) {
  LabelScores scores;
  const auto largest = std::max_element(label_logits.begin(), label_logits.end());
  scores.best = static_cast<size_t>(largest - label_logits.begin());
  scores.probabilities.reserve(label_logits.size());
  double sum = 0;
  for (const float logit : label_logits) {
    const double exponent = (double{logit} - double{*largest}) / temperature;
    scores.probabilities.push_back(ExactExp(std::max(exponent, kLabelExponentMin)));
    sum += scores.probabilities.back();
  }
  for (double& probability : scores.probabilities) probability /= sum;
  scores.confidence = scores.probabilities[scores.best];
  return scores;
}

std::vector<float> LabelScorer::LabelLogits(std::span<const float> logits) const {
  std::vector<float> of_labels;
  of_labels.reserve(tokens_.size());
  for (const int32_t token : tokens_) of_labels.push_back(logits[static_cast<size_t>(token)]);
  return of_labels;
}

LabelScores LabelScorer::Score(std::span<const float> logits) const {
  return ScoreLabels(LabelLogits(logits), temperature_);
}

}  // namespace enigma::engine
