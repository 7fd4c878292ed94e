#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/spec/router_spec.h"

namespace enigma::engine {

// What a router says of a text.
struct LabelScores {
  std::vector<double> probabilities;  // one per label, in the router's order; their sum is 1
  size_t best = 0;                    // the label with the largest; of equal ones the first
  double confidence = 0;              // its probability
};

// Probabilities of a router's labels from the logits after its prompt: a softmax over the labels' tokens alone, of
// logits over the temperature. In double, with this project's own exponential and in the order of the labels, so that
// equal logits give equal bits everywhere. Immutable, thread-safe.
class LabelScorer {
 public:
  // `router` is sound (CheckRouterSpec).
  explicit LabelScorer(const RouterSpec& router) : tokens_(router.label_tokens), temperature_(router.temperature) {}

  // `logits`: one per token of the vocabulary; those of the labels are finite.
  LabelScores Score(std::span<const float> logits) const;
  // The logits of the labels alone, in their order.
  std::vector<float> LabelLogits(std::span<const float> logits) const;

 private:
  const std::vector<int32_t> tokens_;
  const double temperature_;
};

// The least exponent of a softmax over labels: what is further below the largest counts as this far, which is nothing.
inline constexpr double kLabelExponentMin = -600;

// Of the logits of labels alone, which are finite. `temperature` above 0; one label or more.
LabelScores ScoreLabels(std::span<const float> label_logits, double temperature);

}  // namespace enigma::engine
