#include "engine/sampling/label_calibration.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels/exact_math.h"
#include "engine/sampling/label_scorer.h"

namespace enigma::engine {
namespace {

constexpr double kScaleMin = 1.0 / 20;  // of the inverse of the temperature, in which the likelihood is convex
constexpr double kScaleMax = 20;
constexpr int kSearchSteps = 60;
constexpr int kThresholds = 20;
constexpr double kAbstentionGain = 0.5;

// Mean negative log-likelihood where the right label counts 1 - `doubt`, and the others share the doubt. From the
// logits and not from probabilities, which may be too small to be told from 0: so it is convex in the scale.
double Nll(const std::vector<LabelledLogits>& texts, double temperature, double doubt) {
  double sum = 0;
  for (const LabelledLogits& text : texts) {
    const double largest = *std::max_element(text.logits.begin(), text.logits.end());
    double exponentials = 0;
    double others = 0;
    for (size_t label = 0; label < text.logits.size(); ++label) {
      const double scaled = (double{text.logits[label]} - largest) / temperature;
      exponentials += ExactExp(std::max(scaled, kLabelExponentMin));
      if (label != text.label) others += scaled;
    }
    const double right = (double{text.logits[text.label]} - largest) / temperature;
    const auto other_labels = static_cast<double>(std::max<size_t>(text.logits.size() - 1, 1));
    sum += ExactLog(exponentials) - (1 - doubt) * right - doubt * others / other_labels;
  }
  return sum / static_cast<double>(texts.size());
}

// As Platt smoothed his targets: so many texts, all of them right, are no proof that the next one will be.
double Doubt(size_t texts) { return 1 / (static_cast<double>(texts) + 2); }

// Golden-section search over the logarithm of the scale.
double BestTemperature(const std::vector<LabelledLogits>& texts) {
  constexpr double kGolden = 0.6180339887498949;
  double low = ExactLog(kScaleMin);
  double high = ExactLog(kScaleMax);
  const double doubt = Doubt(texts.size());
  const auto nll_at = [&](double log_scale) { return Nll(texts, 1 / ExactExp(log_scale), doubt); };
  double left = high - kGolden * (high - low);
  double right = low + kGolden * (high - low);
  double nll_left = nll_at(left);
  double nll_right = nll_at(right);
  for (int step = 0; step < kSearchSteps && high - low > 1e-4; ++step) {
    if (nll_left <= nll_right) {
      high = right;
      right = left;
      nll_right = nll_left;
      nll_left = nll_at(left = high - kGolden * (high - low));
    } else {
      low = left;
      left = right;
      nll_left = nll_right;
      nll_right = nll_at(right = low + kGolden * (high - low));
    }
  }
  return 1 / ExactExp((low + high) / 2);
}

}  // namespace

LabelCalibration CalibrateLabels(const std::vector<LabelledLogits>& texts) {
  LabelCalibration found;
  found.threshold = kAbstentionGain;
  if (texts.empty()) return found;
  found.temperature = BestTemperature(texts);
  found.nll_before = Nll(texts, 1, 0);
  found.nll = Nll(texts, found.temperature, 0);
  std::vector<std::pair<double, bool>> answers;  // confidence, and whether it is right
  double right_all = 0;
  for (const LabelledLogits& text : texts) {
    const LabelScores scores = ScoreLabels(text.logits, found.temperature);
    answers.emplace_back(scores.confidence, scores.best == text.label);
    right_all += scores.best == text.label ? 1 : 0;
  }
  const auto count = static_cast<double>(texts.size());
  found.accuracy = right_all / count;
  double best_gain = -1;
  for (int step = 0; step < kThresholds; ++step) {
    const double threshold = static_cast<double>(step) / kThresholds;
    double decided = 0;
    double right = 0;
    for (const auto& [confidence, is_right] : answers) {
      if (confidence < threshold) continue;
      decided += 1;
      right += is_right ? 1 : 0;
    }
    const double gain = right + kAbstentionGain * (count - decided);
    const bool nearer = std::fabs(threshold - kAbstentionGain) < std::fabs(found.threshold - kAbstentionGain);
    if (gain > best_gain || (gain == best_gain && nearer)) {
      best_gain = gain;
      found.threshold = threshold;
      found.decided = decided / count;
      found.decided_accuracy = decided > 0 ? right / decided : 0;
    }
  }
  return found;
}

}  // namespace enigma::engine
